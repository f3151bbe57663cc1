import type { Response } from 'express';

/** The answer, with its entity tag in the header that is made for it. */
export function tagged<T extends { readonly etag: string }>(response: Response, answer: T): T {
  response.set('ETag', answer.etag);
  return answer;
}
