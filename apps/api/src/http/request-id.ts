import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { NextFunction, Request, Response } from 'express';

declare module 'http' {
  interface IncomingMessage {
    /** Of every request that Express has seen. */
    id: string;
  }
}

export const REQUEST_ID_HEADER = 'X-Request-Id';

/** What a log line and a header can carry without escapes. */
const USABLE_ID = /^[\w.-]{1,128}$/;

/** Gives every request an id, the client's own where it sent a usable one, and the answer the same. */
export function requestId(request: Request, response: Response, next: NextFunction): void {
  const id = givenId(request) ?? randomUUID();
  request.id = id;
  response.setHeader(REQUEST_ID_HEADER, id);
  next();
}

/** The id that the client has given its request; null where it has not, or not a usable one. */
export function givenId({ headers }: { headers: IncomingHttpHeaders }): string | null {
  const given = headers['x-request-id'];
  return typeof given === 'string' && USABLE_ID.test(given) ? given : null;
}
