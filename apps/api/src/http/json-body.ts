import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { declaredLength, requireIdentityEncoding } from './body-headers';

export const MAX_JSON_BYTES = 2 * 1024 * 1024;
/** Deeper than any schema here; what walks a value recursively then needs no limit of its own. */
const MAX_DEPTH = 32;

/**
 * Reads a JSON body of at most 2 MiB. Undefined where the request has no body.
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, BAD_REQUEST (not UTF-8, not JSON, cut off, nested over 32 levels deep)
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  requireIdentityEncoding(request);
  if (!isUtf8Json(request)) throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'The body has to be application/json, in UTF-8.');
  const bytes = await readBytes(request, MAX_JSON_BYTES);
  return bytes.length === 0 ? undefined : parse(bytes);
}

/** Whether the content type is JSON's, in whatever charset. */
export function isJson(request: IncomingMessage): boolean {
  return /^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
}

/** RFC 8259 allows no other charset. */
function isUtf8Json(request: IncomingMessage): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  return isJson(request) && /^utf-?8$/i.test(charset);
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || (declaredLength(request) ?? 0) > 0;
}

function parse(bytes: Buffer): unknown {
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

/** Level by level, without recursion: the depth is the client's. */
function deeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= limit; depth++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** By events and not by iteration, which would destroy the connection where it stops early, and with it the answer. */
function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: SandboxError): void => {
      request.off('data', take);
      reject(error);
    };
    const tooLarge = (): void => fail(new SandboxError(ErrorCode.PAYLOAD_TOO_LARGE, `A JSON body may have at most ${limit} bytes.`));
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) tooLarge();
      else chunks.push(chunk);
    };
    if ((declaredLength(request) ?? 0) > limit) return tooLarge();
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    // Every way of ending without an 'end': an error, an aborted request, a timeout.
    request.once('error', () => undefined);
    request.once('close', () => {
      if (!request.readableEnded) fail(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The body did not come whole.'));
    });
  });
}
