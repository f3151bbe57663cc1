import type { FilePart } from '@sandbox/orchestrator';
import type { Response } from 'express';

/**
 * Says that the answer is a range of the file's bytes, if it is one: 206 with Content-Range (RFC
 * 9110, section 15.3.7); else 200.
 */
export function setContentRange(response: Response, { ranged, size, offset, length }: FilePart): void {
  response.set('Accept-Ranges', 'bytes');
  // Content-Range cannot say which part of an empty file this is.
  const partial = ranged && length > 0;
  response.status(partial ? 206 : 200);
  if (partial) response.set('Content-Range', `bytes ${offset}-${offset + length - 1}/${size}`);
}
