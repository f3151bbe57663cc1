import { drained, type JobByteWatcher } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { BYTES } from '../request/media-types';

/** The header that tells the offset of the first byte of the answer. */
export const OUTPUT_OFFSET = 'X-Output-Offset';
/** When the kernel begins to ask a silent client whether it is still there. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Answers with the bytes of one stream of a job, as they come. If `stream` fails after the headers,
 * the problem filter cuts the connection. So the answer ends only if it is whole.
 */
export async function sendJobBytes(response: Response, stream: (watcher: JobByteWatcher) => Promise<void>): Promise<void> {
  await stream({
    begin: (offset) => beginAnswer(response, offset),
    bytes: (chunk) => (response.write(chunk) ? undefined : drained(response)),
  });
  response.end();
}

function beginAnswer(response: Response, offset: number): void {
  response.status(200).set({
    'Content-Type': BYTES,
    // No browser shows or runs what a job has written.
    'Content-Disposition': 'attachment',
    [OUTPUT_OFFSET]: String(offset),
    // nginx holds answers back unless it is told not to.
    'X-Accel-Buffering': 'no',
  });
  // A job may be silent for longer than the server lets a connection be. Nothing can be sent
  // meanwhile, because every byte counts as output.
  response.setTimeout(0);
  response.req.socket.setKeepAlive(true, KEEP_ALIVE_MS);
  response.flushHeaders();
}
