import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import busboy from 'busboy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { firstCharacters } from '@sandbox/orchestrator';
import { requireFileLength, requireIdentityEncoding } from '../http/body-headers';
import { validationFailed } from '../validation/validate-dto';
import { detachedBody } from './file-content';

/** What one part may have in headers beside its content. */
const HEADER_PAIRS = 20;

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
    parser.on('file', (field, file, { filename }) => {
      file.once('error', () => undefined);
      if (field !== 'file') return refuse(validationFailed([{ field: firstCharacters(field, 100), message: 'is not a known field' }]));
      content = new PassThrough();
      content.on('error', () => undefined);
      file.pipe(content, { end: false });
      store(filename ?? '', content).then(resolve, refuse);
    });
    parser.on('field', (field) =>
      refuse(validationFailed([{ field: firstCharacters(field, 100), message: 'must be a file, and the only part' }])),
    );
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => refuse(validationFailed([{ field: 'file', message: 'must be the only part' }])));
    }
    parser.on('close', () => {
      if (content === undefined) refuse(validationFailed([{ field: 'file', message: 'is missing' }]));
      else content.end();
    });
    parser.on('error', () => refuse(new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not multipart/form-data, or not whole.')));
    body.on('error', refuse);
    body.pipe(parser);
  });
}

/** @throws SandboxError UNSUPPORTED_MEDIA_TYPE */
function multipartParser(request: IncomingMessage): busboy.Busboy {
  if (!/^multipart\/form-data\s*;/i.test(request.headers['content-type'] ?? '')) throw notMultipart();
  try {
    return busboy({
      headers: request.headers,
      defParamCharset: 'utf8',
      limits: { files: 1, fields: 1, parts: 2, headerPairs: HEADER_PAIRS },
    });
  } catch {
    throw notMultipart();
  }
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
