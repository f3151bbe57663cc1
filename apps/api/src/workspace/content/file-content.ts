import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { requireFileLength, requireIdentityEncoding } from '../../request/body-headers';
import { isJson, readJson } from '../../request/json-body';
import { validateDto } from '../../validation/validate-dto';
import { decodeContent } from './decode-content';
import { WriteContentDto } from '../dto/workspace.dto';

/**
 * Takes the new content of a file: from a JSON body `{content, encoding}`, else the bytes of the
 * body as a stream.
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
 * Returns the body as a stream that its reader may destroy. The connection stays open, because the
 * answer still has to go over it. If the body does not come whole, the stream fails, also for a
 * reader that comes later.
 */
export function detachedBody(request: IncomingMessage): Readable {
  const body = new PassThrough();
  const cut = (): void => {
    if (!request.complete) body.destroy(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The body did not come whole.'));
  };
  // The reader may come later or never. An 'error' event without a listener would end the process.
  body.on('error', () => undefined);
  request.once('error', cut);
  request.once('close', cut);
  return request.pipe(body);
}
