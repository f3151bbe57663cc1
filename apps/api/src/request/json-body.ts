import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { declaredLength, requireIdentityEncoding } from './body-headers';
import { readBytes } from './read-bytes';

export const MAX_JSON_BYTES = 2 * 1024 * 1024;
/**
 * Deeper than any schema here. So code that walks a value recursively needs no limit of its own.
 */
const MAX_DEPTH = 32;

/**
 * Reads a JSON body of at most 2 MiB.
 * @returns undefined if the request has no body
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, BAD_REQUEST (not UTF-8, not JSON,
 * cut off, nested over 32 levels deep)
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  requireIdentityEncoding(request);
  if (!isUtf8Json(request)) throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'The body has to be application/json, in UTF-8.');
  const bytes = await readBytes(request, MAX_JSON_BYTES);
  return bytes.length === 0 ? undefined : parseJson(bytes);
}

/** Whether the content type is JSON, in any charset. */
export function isJson(request: IncomingMessage): boolean {
  return /^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
}

/** JSON has to be UTF-8 (RFC 8259, section 8.1). */
function isUtf8Json(request: IncomingMessage): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  return isJson(request) && /^utf-?8$/i.test(charset);
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || (declaredLength(request) ?? 0) > 0;
}

/**
 * Parses JSON text of a bounded depth.
 * @throws SandboxError BAD_REQUEST
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not UTF-8.');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not JSON.');
  }
  if (deeperThan(value, MAX_DEPTH)) throw new SandboxError(ErrorCode.BAD_REQUEST, `The body is nested more than ${MAX_DEPTH} levels deep.`);
  return value;
}

/** Walks level by level, without recursion, since the client chooses the depth. */
function deeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= limit; depth++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}
