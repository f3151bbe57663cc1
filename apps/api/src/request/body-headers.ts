import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';

/**
 * Returns the bytes that Content-Length declares, or undefined for a chunked body. Node has checked
 * that it is a number.
 */
export function declaredLength(request: IncomingMessage): number | undefined {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/**
 * Refuses a compressed body. It would be stored compressed, or grow without a bound.
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE
 */
export function requireIdentityEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'A compressed body (Content-Encoding) is not supported.');
  }
}

/**
 * Refuses a body that declares more than a file may have, before any of it is read.
 * @param besides what else than the file the body may hold, bytes
 * @throws SandboxError FILE_TOO_LARGE
 */
export function requireFileLength(request: IncomingMessage, maxBytes: number, besides = 0): void {
  if ((declaredLength(request) ?? 0) > maxBytes + besides)
    throw new SandboxError(ErrorCode.FILE_TOO_LARGE, `The file is larger than ${maxBytes} bytes.`);
}
