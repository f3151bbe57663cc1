import type { FilePart } from '@sandbox/orchestrator';
import type { Response } from 'express';

/**
 * Sets status and headers for the part that is sent: 206 with Content-Range (RFC 9110, section
 * 15.3.7) if it is a range of the file's bytes, else 200.
 */
export function setContentRange(response: Response, { ranged, size, offset, length }: FilePart): void {
  response.set('Accept-Ranges', 'bytes');
  // Content-Range has no way to name a part of an empty file.
  const partial = ranged && length > 0;
  response.status(partial ? 206 : 200);
  if (partial) response.set('Content-Range', `bytes ${offset}-${offset + length - 1}/${size}`);
}
