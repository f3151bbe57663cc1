import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Request } from 'express';
import { BYTES, JSON_TYPE } from '../../request/media-types';

/**
 * Whether the client prefers a file's bytes to JSON. A client that takes anything gets JSON, but
 * bytes for a range of bytes.
 * @throws SandboxError NOT_ACCEPTABLE if it takes neither
 */
export function wantsBytes(request: Request, hasRange: boolean): boolean {
  const preferred = request.accepts(hasRange ? [BYTES, JSON_TYPE] : [JSON_TYPE, BYTES]);
  if (preferred === false) throw new SandboxError(ErrorCode.NOT_ACCEPTABLE, `A file comes as ${JSON_TYPE} or ${BYTES}.`);
  return preferred === BYTES;
}
