import type { Response } from 'express';

/**
 * Puts the answer's entity tag into the ETag header.
 * @returns the answer
 */
export function tagged<T extends { readonly etag: string }>(response: Response, answer: T): T {
  response.set('ETag', answer.etag);
  return answer;
}
