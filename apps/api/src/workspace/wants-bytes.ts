import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Request } from 'express';

const BYTES = 'application/octet-stream';

/**
 * Whether the client prefers a file's bytes to JSON; a client that takes anything gets JSON.
 * @throws SandboxError NOT_ACCEPTABLE where it takes neither
 */
export function wantsBytes(request: Request): boolean {
  const preferred = request.accepts(['application/json', BYTES]);
  if (preferred === false) throw new SandboxError(ErrorCode.NOT_ACCEPTABLE, `A file comes as application/json or ${BYTES}.`);
  return preferred === BYTES;
}
