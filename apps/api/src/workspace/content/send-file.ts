import { Logger } from '@nestjs/common';
import { pipeline } from 'node:stream/promises';
import type { FileStream } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { setContentRange } from './content-range';

const logger = new Logger('Files');

/**
 * Streams a file, or a part of it, as bytes that no browser shows or runs. If the bytes stop short,
 * `pipeline` cuts the connection: after the headers there is no other way to tell the client.
 */
export async function sendFile(response: Response, file: FileStream): Promise<void> {
  const { length, content } = file;
  setContentRange(response, file);
  response.set({
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': 'attachment',
    'Content-Length': String(length),
  });
  if (response.req.method === 'HEAD') {
    content.destroy();
    response.end();
    return;
  }
  try {
    await pipeline(content, response);
  } catch (error) {
    logger.warn({ msg: 'a file was not sent whole', request_id: response.req.id, err: error });
  }
}
