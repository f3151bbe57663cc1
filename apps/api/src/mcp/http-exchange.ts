import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { Request, Response } from 'express';
import { EventStream, SILENCE_MS, takesEvents } from '../request/event-stream';

/**
 * One JSON-RPC request over HTTP and its answer, as the SDK's server sees them (MCP, Streamable
 * HTTP). Nothing is sent before the request is `granted`.
 *
 * The answer is plain JSON if it comes soon. A progress note makes it a stream of events. So does a
 * silence after which a proxy may close the connection. A client that takes no events gets spaces
 * before the JSON instead, which RFC 8259 allows, and no notes.
 */
export class HttpExchange implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /**
   * Resolves when the answer is sent or the client is gone. Rejects as `granted` does: then nothing
   * is sent.
   */
  readonly answered: Promise<void>;
  private readonly takesEvents: boolean;
  private readonly takesJson: boolean;
  private readonly silence: NodeJS.Timeout;
  private events: EventStream | undefined;

  constructor(
    private readonly message: JSONRPCRequest,
    request: Request,
    private readonly response: Response,
    private readonly granted: Promise<void> | undefined,
  ) {
    this.takesEvents = takesEvents(request);
    // A client that accepts neither form gets JSON, as RFC 9110 (12.4.1) allows. It helps more than
    // a refusal.
    this.takesJson = !this.takesEvents || request.accepts('application/json') !== false;
    this.answered = new Promise((resolve, reject) => {
      response.once('close', resolve);
      granted?.catch(reject);
    });
    this.silence = setInterval(() => this.breakSilence(), SILENCE_MS).unref();
    response.once('close', () => clearInterval(this.silence));
  }

  async start(): Promise<void> {}

  /** Hands the request to the server, which has to be connected. */
  receiveMessage(): void {
    this.onmessage?.(this.message);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    await this.granted;
    if (this.response.destroyed) return;
    if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) this.answer(message);
    else if (this.takesEvents) void this.beginEvents().sendEvent('message', message);
  }

  async close(): Promise<void> {
    clearInterval(this.silence);
    this.onclose?.();
  }

  private answer(message: JSONRPCMessage): void {
    clearInterval(this.silence);
    if (this.events === undefined && this.takesJson) {
      this.beginJson();
      this.response.end(JSON.stringify(message));
    } else {
      const events = this.beginEvents();
      void events.sendEvent('message', message);
      events.endStream();
    }
  }

  private breakSilence(): void {
    if (this.events !== undefined) return;
    if (this.takesEvents) this.beginEvents().sendComment();
    else {
      this.beginJson();
      if (!this.response.writableNeedDrain) this.response.write(' ');
    }
  }

  private beginJson(): void {
    if (!this.response.headersSent) this.response.status(200).setHeader('Content-Type', 'application/json');
  }

  private beginEvents(): EventStream {
    return (this.events ??= new EventStream(this.response));
  }
}
