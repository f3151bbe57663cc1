import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { firstCharacters } from '@sandbox/text';
import { requireFileLength, requireIdentityEncoding } from '../../request/body-headers';
import { validationFailed } from '../../validation/validate-dto';
import { detachedBody } from './file-content';

/** Limits on the headers of one part: their number, and their bytes in all. */
const HEADER_PAIRS = 20;
const HEADER_BYTES = 16 * 1024;

/**
 * The buffer of a part. The parser skips a part that is not form-data, but such a part must never
 * fill its buffer, or the parser waits for ever. A connection gives at most 64 KiB at a time.
 */
const PART_BUFFER_BYTES = 1024 * 1024;

/** How many bytes the multipart form around a file may add to its length. */
const FORM_BYTES = 16 * 1024;

/**
 * Reads a multipart body with exactly one part, the file `file`, and streams it into `store`. The
 * content ends only once the whole body was found sound. Otherwise it fails, so that `store` keeps
 * nothing of a refused body.
 * @param maxBytes a body that declares clearly more is refused before it is read; 0 for no limit
 * @param store takes the name of the file; '' if it came without one
 */
export async function receiveUpload<T>(
  request: IncomingMessage,
  maxBytes: number,
  store: (fileName: string, content: Readable) => Promise<T>,
): Promise<T> {
  requireIdentityEncoding(request);
  if (maxBytes > 0) requireFileLength(request, maxBytes, FORM_BYTES);
  const parser = multipartParser(request);
  const body = detachedBody(request);
  return new Promise<T>((resolve, reject) => {
    let content: PassThrough | undefined;
    const refuse = (error: Error): void => {
      body.unpipe(parser);
      body.destroy();
      content?.destroy(error);
      reject(error);
    };
    // A part without a name has undefined here, whatever the types say.
    parser.on('file', (field: string | undefined, file, filename: string | undefined) => {
      file.once('error', () => undefined);
      if (field !== 'file') return refuse(validationFailed([{ field: shown(field), message: 'is not a known field' }]));
      content = new PassThrough();
      content.on('error', () => undefined);
      file.pipe(content, { end: false });
      store(filename ?? '', content).then(resolve, refuse);
    });
    parser.on('field', (field: string | undefined) =>
      refuse(validationFailed([{ field: shown(field), message: 'must be a file, and the only part' }])),
    );
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => refuse(validationFailed([{ field: 'file', message: 'must be the only part' }])));
    }
    parser.on('finish', () => {
      if (content === undefined) refuse(validationFailed([{ field: 'file', message: 'is missing' }]));
      else content.end();
    });
    parser.on('error', () => refuse(new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not multipart/form-data, or not whole.')));
    body.on('error', refuse);
    body.pipe(parser);
  });
}

/** @throws SandboxError UNSUPPORTED_MEDIA_TYPE */
function multipartParser(request: IncomingMessage): BusboyInstance {
  if (!/^multipart\/form-data\s*;/i.test(request.headers['content-type'] ?? '')) throw notMultipart();
  try {
    return new Busboy({
      headers: request.headers as BusboyHeaders,
      fileHwm: PART_BUFFER_BYTES,
      limits: { files: 1, fields: 1, parts: 2, headerPairs: HEADER_PAIRS, headerSize: HEADER_BYTES },
    });
  } catch {
    throw notMultipart();
  }
}

function shown(field = ''): string {
  return firstCharacters(field, 100);
}

function notMultipart(): SandboxError {
  return new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'The body has to be multipart/form-data with a boundary.');
}

/**
 * Chooses the name under which an upload without a path is stored: the last part of the file's own
 * name.
 * @throws SandboxError VALIDATION_FAILED if nothing is left of the name
 */
export function uploadName(fileName: string): string {
  const name = fileName.split(/[/\\]/).at(-1) ?? '';
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
    throw validationFailed([{ field: 'path', message: 'is needed: the file came without a usable name' }]);
  }
  return name;
}
