import { drained } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { logFailure } from '../errors/log-failure';
import { toProblem, toSandboxError } from '../errors/problem';

export const EVENT_STREAM = 'text/event-stream';
/**
 * Of silence, after which a comment goes out: proxies and clients give up a connection on which
 * nothing moves. Milliseconds.
 */
const SILENCE_MS = 15_000;

/**
 * Whether the client prefers events as they happen to one answer at the end. One that takes
 * anything gets the answer.
 */
export function wantsEvents(request: Request): boolean {
  const { accept } = request.headers;
  return accept !== undefined && accept.includes('text/') && request.accepts(['application/json', EVENT_STREAM]) === EVENT_STREAM;
}

/** An answer of Server-Sent Events (WHATWG HTML, 9.2). Data is one line of JSON. */
export class EventStream {
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly response: Response) {
    // nginx holds answers back unless it is told not to.
    response.status(200).set({ 'Content-Type': EVENT_STREAM, 'X-Accel-Buffering': 'no' }).flushHeaders();
    this.heartbeat = setInterval(() => this.comment(), SILENCE_MS).unref();
    response.once('close', () => clearInterval(this.heartbeat));
  }

  /**
   * Where the client is slower than its events, a promise that is pending until it has caught up or
   * gone away.
   */
  send(event: string, data: object, id?: string): void | Promise<void> {
    const { response } = this;
    if (response.destroyed) return;
    this.heartbeat.refresh();
    const text = `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
    // Plain ASCII, as most output is, need not be encoded.
    if (response.write(text, Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8')) return;
    return drained(response);
  }

  /** Ends with an `error` event: the status is out already. */
  fail(exception: unknown): void {
    const error = toSandboxError(exception);
    const { id } = this.response.req;
    logFailure(error, id);
    void this.send('error', toProblem(error, id));
    this.end();
  }

  end(): void {
    clearInterval(this.heartbeat);
    this.response.end();
  }

  /** Not to one that does not read: what waits to be written would grow. */
  private comment(): void {
    if (!this.response.writableNeedDrain) this.response.write(': still here\n\n');
  }
}
