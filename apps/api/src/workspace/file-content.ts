import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { requireFileLength, requireIdentityEncoding } from '../request/body-headers';
import { isJson, readJson } from '../request/json-body';
import { validateDto } from '../validation/validate-dto';
import { decodeContent } from './decode-content';
import { WriteContentDto } from './workspace.dto';

/**
 * The new content of a file: of a JSON body `{content, encoding}`, else the body's bytes, as a stream.
 * @param maxBytes a body that declares more is refused before it is read; 0 for no limit
 */
export async function fileContent(request: IncomingMessage, maxBytes: number): Promise<Buffer | Readable> {
  if (isJson(request)) {
    const { content, encoding } = validateDto(WriteContentDto, await readJson(request));
    return decodeContent(content, encoding);
  }
  requireIdentityEncoding(request);
  if (maxBytes > 0) requireFileLength(request, maxBytes);
  return detachedBody(request);
}

/**
 * A stream of the body that its reader may destroy without the connection going too, over which the answer has still to be sent. A body
 * that does not come whole is an error of it, also for a reader that comes later.
 */
export function detachedBody(request: IncomingMessage): Readable {
  const body = new PassThrough();
  const cut = (): void => {
    if (!request.complete) body.destroy(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The body did not come whole.'));
  };
  // Whoever will read it may not be there yet, or never come: an 'error' that nobody listens to ends the process.
  body.on('error', () => undefined);
  request.once('error', cut);
  request.once('close', cut);
  return request.pipe(body);
}
