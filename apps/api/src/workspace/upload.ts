import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { firstCharacters } from '@sandbox/text';
import { requireFileLength, requireIdentityEncoding } from '../request/body-headers';
import { validationFailed } from '../validation/validate-dto';
import { detachedBody } from './file-content';

/** What one part may have in headers beside its content: lines, and bytes in all. */
const HEADER_PAIRS = 20;
const HEADER_BYTES = 16 * 1024;

/**
 * The buffer of a part. A part that is not form-data is skipped, and must never fill its buffer,
 * since the parser would then wait for ever. A connection gives at most 64 KiB at a time.
 */
const PART_BUFFER_BYTES = 1024 * 1024;

/** What the multipart form around a file may add to its length, bytes. */
const FORM_BYTES = 16 * 1024;

/**
 * Reads a multipart body of exactly one part, the file `file`, and streams it into `store`. The content ends only after the whole body was
 * seen to be sound: else it fails, and with it the store, so that nothing is stored of a body that is refused.
 * @param maxBytes a body that declares clearly more is refused before it is read; 0 for no limit
 * @param store takes the name the file came with, '' where it has none
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
    // The names are undefined in a part that has none, whatever the types say.
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
 * The name under which an upload is stored that names no path: the last part of the name it came with.
 * @throws SandboxError VALIDATION_FAILED where nothing is left of it
 */
export function uploadName(fileName: string): string {
  const name = fileName.split(/[/\\]/).at(-1) ?? '';
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
    throw validationFailed([{ field: 'path', message: 'is needed: the file came without a usable name' }]);
  }
  return name;
}
