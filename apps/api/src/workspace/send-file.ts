import { Logger } from '@nestjs/common';
import { pipeline } from 'node:stream/promises';
import type { FileStream } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { setContentRange } from './content-range';

const logger = new Logger('Files');

/**
 * Streams a file, or the part of it that was asked for, as bytes that no browser shows or runs. If
 * they stop short the connection is cut (by pipeline): with the headers out there is no other way
 * to say so.
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
