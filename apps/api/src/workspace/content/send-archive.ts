import { Logger } from '@nestjs/common';
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import type { Response } from 'express';
import { GZIP, TAR } from './archive-body';

const logger = new Logger('Archives');

/**
 * Streams an archive, named after its directory. If it breaks off, `pipeline` cuts the connection:
 * after the headers there is no other way to tell the client.
 */
export async function sendArchive(response: Response, archive: Readable, path: string, gzip: boolean): Promise<void> {
  const name = posix.basename(posix.normalize(`/${path}`)) || 'workspace';
  response
    .status(200)
    .attachment(`${name}.tar${gzip ? '.gz' : ''}`)
    .set('Content-Type', gzip ? GZIP : TAR);
  if (response.req.method === 'HEAD') {
    archive.destroy();
    response.end();
    return;
  }
  try {
    await pipeline(archive, response);
  } catch (error) {
    logger.warn({ msg: 'an archive was not sent whole', request_id: response.req.id, err: error });
  }
}
