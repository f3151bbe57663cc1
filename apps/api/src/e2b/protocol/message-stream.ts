import type { SandboxError } from '@sandbox/errors';
import { drained } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { SILENCE_MS } from '../../request/event-stream';
import { connectCode, toldMessage } from './error-status';
import { CONNECT_STREAM, endFrame, messageFrame } from './envelopes';

/**
 * The answer of a call that answers with a stream of messages. During a silence it sends a message
 * that means nothing, so that proxies keep the connection.
 */
export class MessageStream {
  private readonly heartbeat: NodeJS.Timeout;

  /** @param silence the message that breaks a silence */
  constructor(
    private readonly response: Response,
    silence: object,
  ) {
    // nginx holds answers back unless it is told not to.
    response.status(200).set({ 'Content-Type': CONNECT_STREAM, 'X-Accel-Buffering': 'no' }).flushHeaders();
    this.heartbeat = setInterval(() => {
      // A client that does not read gets none, because what waits to be written would grow.
      if (!response.writableNeedDrain) void this.send(silence);
    }, SILENCE_MS).unref();
    response.once('close', () => clearInterval(this.heartbeat));
  }

  /**
   * Sends a message.
   * @returns a promise if the client is slower than its messages. It resolves once the client has
   *   caught up or gone away.
   */
  send(message: object): void | Promise<void> {
    if (this.response.destroyed) return;
    this.heartbeat.refresh();
    if (!this.response.write(messageFrame(message))) return drained(this.response);
  }

  /** Ends the stream, with an error if there is one. */
  end(error?: SandboxError): void {
    clearInterval(this.heartbeat);
    this.response.end(endFrame(error && { code: connectCode(error), message: toldMessage(error) }));
  }
}
