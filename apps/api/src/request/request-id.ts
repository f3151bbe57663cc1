import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { NextFunction, Request, Response } from 'express';

declare module 'http' {
  interface IncomingMessage {
    /** Set for every request that Express has seen. */
    id: string;
  }
}

export const REQUEST_ID_HEADER = 'X-Request-Id';

/** An id that a log line and a header can carry without escapes. */
const USABLE_ID = /^[\w.-]{1,128}$/;

/**
 * Gives each request an id and puts it into the answer. If the client sent a usable id, that is the
 * id.
 */
export function requestId(request: Request, response: Response, next: NextFunction): void {
  const id = givenId(request) ?? randomUUID();
  request.id = id;
  response.setHeader(REQUEST_ID_HEADER, id);
  next();
}

/** Returns the id that the client gave its request, or null if it gave none or an unusable one. */
export function givenId({ headers }: { headers: IncomingHttpHeaders }): string | null {
  const given = headers['x-request-id'];
  return typeof given === 'string' && USABLE_ID.test(given) ? given : null;
}
