import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** One call to the service. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
  /** The client declares a longer body and never sends the rest. */
  readonly unfinished?: boolean;
  /**
   * How long the call may take by its own terms, in milliseconds. The answer may come MARGIN_MS
   * later.
   */
  readonly timeoutMs: number;
  /** After this long, in milliseconds, the client goes away. */
  readonly abandonAfterMs?: number;
}

/** How a call ended, as its client sees it. */
export type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly body: Buffer }
  /** An error of the service, by its stable code. */
  | { readonly kind: 'error'; readonly code: string }
  | { readonly kind: 'untyped'; readonly text: string }
  | { readonly kind: 'broken'; readonly text: string }
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'hung' };

/** How much later than the call's own timeout an answer may come. */
export const MARGIN_MS = 30_000;

/**
 * Sends a call over a connection of its own, so that only the service decides its outcome. Never
 * sends it twice.
 */
export function send(url: string, call: Call): Promise<Outcome> {
  return new Promise((resolve) => {
    const { method, path, body, unfinished, timeoutMs, abandonAfterMs } = call;
    const headers = unfinished ? { ...call.headers, 'Content-Length': String(2 * Buffer.byteLength(body!)) } : call.headers;
    const end = (outcome: Outcome): void => {
      for (const timer of timers) clearTimeout(timer);
      resolve(outcome);
      sent.destroy();
    };
    const sent = request(`${url}${path}`, { method, headers, agent: false });
    const timers = [setTimeout(() => end({ kind: 'hung' }), timeoutMs + MARGIN_MS)];
    if (abandonAfterMs !== undefined) timers.push(setTimeout(() => end({ kind: 'abandoned' }), abandonAfterMs));
    const broke = (error: Error): void => end({ kind: 'broken', text: String(error) });
    sent.on('error', broke);
    sent.on('response', (response) => void buffer(response).then((bytes) => end(outcomeOf(response, bytes)), broke));
    if (unfinished) sent.write(body);
    else sent.end(body);
  });
}

function outcomeOf({ statusCode = 0, headers, complete }: IncomingMessage, body: Buffer): Outcome {
  if (!complete) return { kind: 'broken', text: 'the answer broke off' };
  if (statusCode < 400) return { kind: 'answer', status: statusCode, body };
  const code = headers['content-type']?.startsWith('application/problem+json') ? codeOf(body) : undefined;
  return code === undefined ? { kind: 'untyped', text: `${statusCode} ${body.toString().slice(0, 200)}` } : { kind: 'error', code };
}

function codeOf(body: Buffer): string | undefined {
  const { code } = JSON.parse(body.toString()) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
