import type { Response } from 'express';

/** What a user's budget of requests has, this request counted. */
export interface Budget {
  readonly limit: number;
  readonly left: number;
  /** Seconds until all of it is there again. */
  readonly reset: number;
}

/** Tells a client of its budget, by the headers of the answer. */
export function tellBudget(response: Response, { limit, left, reset }: Budget): void {
  response.setHeader('RateLimit-Limit', String(limit));
  response.setHeader('RateLimit-Remaining', String(left));
  response.setHeader('RateLimit-Reset', String(reset));
}

/** Returns what `tellBudget` told. A request that waits for its count has been told. */
export function toldBudget(response: Response): Budget {
  const read = (name: string): number => Number(response.getHeader(name) ?? 0);
  return { limit: read('RateLimit-Limit'), left: read('RateLimit-Remaining'), reset: read('RateLimit-Reset') };
}
