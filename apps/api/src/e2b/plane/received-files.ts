import { createGunzip } from 'node:zlib';
import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { validationFailed } from '../../validation/validate-dto';
import { detachedBody } from '../../workspace/content/file-content';

/** Limits on the form: its files, and the headers of each part in number and bytes. */
const MAX_FILES = 256;
const HEADER_PAIRS = 20;
const HEADER_BYTES = 16 * 1024;

/** Stores one file. */
export type StoreFile<T> = (path: string, content: Readable) => Promise<T>;

/**
 * Takes the content of a file that is the whole body. It may be compressed with gzip.
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE
 */
export function fileBody(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return detachedBody(request);
  if (encoding !== 'gzip')
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'A body may be compressed with gzip, and not otherwise.');
  const body = detachedBody(request);
  const gunzip = createGunzip();
  const content = new PassThrough();
  content.on('error', () => undefined);
  body.on('error', (error) => content.destroy(error));
  gunzip.on('error', () => content.destroy(new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not gzip, or not whole.')));
  // A reader may go away before the end.
  content.once('close', () => {
    body.destroy();
    gunzip.destroy();
  });
  return body.pipe(gunzip).pipe(content);
}

/**
 * Reads the files of a multipart body, and stores one after the other as they come. If the body
 * turns out to be unsound, the files before that are stored.
 * @param path of the only file; without it, each file has its own path as its name
 * @throws SandboxError UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED, BAD_REQUEST; what `store` throws
 */
export async function storeFormFiles<T>(request: IncomingMessage, path: string | undefined, store: StoreFile<T>): Promise<T[]> {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new SandboxError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, 'A form may not be compressed.');
  }
  const parser = formParser(request);
  const body = detachedBody(request);
  const stored: Promise<T>[] = [];
  return new Promise<T[]>((resolve, reject) => {
    const open = new Set<PassThrough>();
    const refuse = (error: Error): void => {
      body.unpipe(parser);
      body.destroy();
      for (const content of open) content.destroy(error);
      reject(error);
    };
    // A part without a name has undefined here, whatever the types say.
    parser.on('file', (field: string | undefined, file, filename: string | undefined) => {
      const content = new PassThrough();
      content.on('error', () => undefined);
      file.once('error', () => refuse(notWhole()));
      const target = path ?? filename ?? '';
      if (field !== 'file' || target === '')
        return refuse(validationFailed([{ field: 'file', message: 'must be the name of each part, which is a file with a path' }]));
      if (path !== undefined && stored.length > 0)
        return refuse(validationFailed([{ field: 'path', message: 'is for one file, and the form has more' }]));
      open.add(content);
      file.once('end', () => {
        open.delete(content);
        content.end();
      });
      file.pipe(content, { end: false });
      // A session takes only so many calls at a time. While a file waits, nothing more is read.
      const storing = Promise.resolve(stored.at(-1)).then(() => store(target, content));
      stored.push(storing);
      storing.catch(refuse);
    });
    parser.on('field', () =>
      refuse(validationFailed([{ field: 'file', message: 'must be the name of each part, which is a file with a path' }])),
    );
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => refuse(validationFailed([{ field: 'file', message: `must be at most ${MAX_FILES} files` }])));
    }
    parser.on('finish', () => {
      if (stored.length === 0) refuse(validationFailed([{ field: 'file', message: 'is missing' }]));
      else Promise.all(stored).then(resolve, reject);
    });
    parser.on('error', () => refuse(notWhole()));
    body.on('error', refuse);
    body.pipe(parser);
  });
}

/** @throws SandboxError UNSUPPORTED_MEDIA_TYPE */
function formParser(request: IncomingMessage): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: request.headers as BusboyHeaders,
      preservePath: true,
      limits: { files: MAX_FILES, fields: 0, parts: MAX_FILES + 1, headerPairs: HEADER_PAIRS, headerSize: HEADER_BYTES },
    });
  } catch {
    throw new SandboxError(
      ErrorCode.UNSUPPORTED_MEDIA_TYPE,
      'The body has to be multipart/form-data with a boundary, or application/octet-stream.',
    );
  }
}

function notWhole(): SandboxError {
  return new SandboxError(ErrorCode.BAD_REQUEST, 'The body is not multipart/form-data, or not whole.');
}
