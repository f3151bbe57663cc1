import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
  /** The body is said to be longer, and its rest never comes. */
  readonly unfinished?: boolean;
  /** What the call itself may take by its own terms, milliseconds; for its answer it has MARGIN_MS more. */
  readonly timeoutMs: number;
  /** The client goes away after so long, milliseconds. */
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

/** Of a call's answer past the call's own timeout. */
export const MARGIN_MS = 30_000;

/** Over a connection of its own, so that nothing but the service stands between the call and its outcome; never sent twice. */
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
