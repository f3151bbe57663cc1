import { drained } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { logFailure } from '../problems/log-failure';
import { toProblem, toSandboxError } from '../problems/problem';

export const EVENT_STREAM = 'text/event-stream';
/**
 * How long an answer may be silent before something is sent, because proxies and clients close a
 * connection on which nothing moves. The API promises ten seconds; the rest is for a late timer and
 * a slow network.
 */
export const SILENCE_MS = 9_000;

/**
 * Whether the client prefers events while they happen to one answer at the end. A client that takes
 * anything gets the answer.
 */
export function wantsEvents(request: Request): boolean {
  const { accept } = request.headers;
  return accept !== undefined && accept.includes('text/') && request.accepts(['application/json', EVENT_STREAM]) === EVENT_STREAM;
}

/**
 * Whether the client names events among what it takes. A client that takes anything may not know
 * them.
 */
export function takesEvents(request: Request): boolean {
  const { accept } = request.headers;
  return accept !== undefined && /text\/event-stream/i.test(accept) && request.accepts(EVENT_STREAM) !== false;
}

/** An answer of Server-Sent Events (WHATWG HTML, 9.2). Data is one line of JSON. */
export class EventStream {
  private readonly heartbeat: NodeJS.Timeout;

  constructor(private readonly response: Response) {
    // One write takes the headers and the first event, which mostly follows at once.
    response.cork();
    // nginx holds answers back unless it is told not to.
    response.status(200).set({ 'Content-Type': EVENT_STREAM, 'X-Accel-Buffering': 'no' }).flushHeaders();
    process.nextTick(() => response.uncork());
    this.heartbeat = setInterval(() => this.sendComment(), SILENCE_MS).unref();
    response.once('close', () => clearInterval(this.heartbeat));
  }

  /**
   * Sends an event.
   * @returns a promise if the client is slower than its events. It resolves once the client has
   *   caught up or gone away.
   */
  sendEvent(event: string, data: object, id?: string): void | Promise<void> {
    const { response } = this;
    if (response.destroyed) return;
    this.heartbeat.refresh();
    const text = `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
    // Most output is plain ASCII, which need not be encoded.
    if (response.write(text, Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8')) return;
    return drained(response);
  }

  /** Ends with an `error` event, because the status is sent already. */
  sendProblem(exception: unknown): void {
    const error = toSandboxError(exception);
    const { id } = this.response.req;
    logFailure(error, id);
    void this.sendEvent('error', toProblem(error, id));
    this.endStream();
  }

  endStream(): void {
    clearInterval(this.heartbeat);
    this.response.end();
  }

  /**
   * Sends a comment to break a silence. A client that does not read gets none, because what waits
   * to be written would grow.
   */
  sendComment(): void {
    if (!this.response.writableNeedDrain) this.response.write(': still here\n\n');
  }
}
