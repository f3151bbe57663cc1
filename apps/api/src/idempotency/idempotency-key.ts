import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';

/** The header (draft-ietf-httpapi-idempotency-key-header). */
export const IDEMPOTENCY_KEY = 'Idempotency-Key';
/** The most characters of a key. */
export const MAX_KEY_CHARACTERS = 255;

/** A string of RFC 8941, section 3.3.3. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
/** What many clients send: a key without quotes, and without what separates parts of a header. */
const BARE = /^[\w.:/+=~-]+$/;

/**
 * Reads the key of a request. `"a"` and `a` are the same key.
 * @returns undefined if the request has none
 * @throws SandboxError BAD_REQUEST for a malformed header: ignoring it could run a request twice
 */
export function idempotencyKey({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const value = headers['idempotency-key'];
  if (value === undefined) return undefined;
  // Node joins repeated headers of this name by a comma, which is in no bare key.
  const text = (typeof value === 'string' ? value : '').trim();
  const quoted = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
  const key = quoted ?? (BARE.test(text) ? text : '');
  if (key.length >= 1 && key.length <= MAX_KEY_CHARACTERS) return key;
  const form = `one key of 1 to ${MAX_KEY_CHARACTERS} printable ASCII characters in double quotes, such as "8e03978e-40d5-43e8-bc93-6894a57f9324"`;
  throw new SandboxError(ErrorCode.BAD_REQUEST, `The ${IDEMPOTENCY_KEY} header has to be ${form}.`);
}

/**
 * Refuses a key for an answer that cannot be given twice.
 * @throws SandboxError BAD_REQUEST
 */
export function refuseIdempotencyKey({ headers }: Pick<IncomingMessage, 'headers'>): void {
  if (headers['idempotency-key'] === undefined) return;
  throw new SandboxError(
    ErrorCode.BAD_REQUEST,
    `${IDEMPOTENCY_KEY} is not taken with Accept: text/event-stream, because a stream is not kept. Start a job with the key, and read its output as events.`,
  );
}
