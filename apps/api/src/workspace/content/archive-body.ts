import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { requireIdentityEncoding } from '../../request/body-headers';
import { detachedBody } from './file-content';

export const TAR = 'application/x-tar';
export const GZIP = 'application/gzip';
/**
 * The content types that are accepted. The first bytes tell whether an archive is compressed; these
 * types only keep out what is certainly no archive, such as a form.
 */
export const ARCHIVE_TYPES = [TAR, GZIP, 'application/tar', 'application/x-gzip', 'application/octet-stream'];

/**
 * Takes the archive that a request sends.
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE
 */
export function archiveBody(request: IncomingMessage): Readable {
  requireIdentityEncoding(request);
  const type = request.headers['content-type']?.split(';')[0]!.trim().toLowerCase();
  if (type && !ARCHIVE_TYPES.includes(type)) {
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, `The body has to be a tar: ${ARCHIVE_TYPES.join(', ')}.`);
  }
  return detachedBody(request);
}
