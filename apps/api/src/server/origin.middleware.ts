import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { NextFunction, Request, Response } from 'express';

export const ALLOWED_METHODS = 'POST, OPTIONS';

/**
 * The methods that a preflight allows. GET and DELETE get a 405, which clients expect, and no
 * refusal by CORS.
 */
const PREFLIGHT_METHODS = 'GET, POST, DELETE';
const PREFLIGHT_MAX_AGE_SECONDS = 600;
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Mcp-Protocol-Version',
  'Mcp-Session-Id',
  'Last-Event-ID',
  'X-Request-Id',
];
/**
 * The headers that a page may read of an answer. It needs the `Mcp-Session-Id` of its first answer
 * to cancel a call.
 */
const RESPONSE_HEADERS = [
  'Mcp-Session-Id',
  'Allow',
  'WWW-Authenticate',
  'Retry-After',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'X-Request-Id',
];

/**
 * Refuses browsers on pages of other origins, as MCP's defence against DNS rebinding. It runs
 * before the guards, because a preflight carries no credential, and a page can read a 401 or 429
 * only if it has CORS headers. Programs send no Origin and pass.
 */
@Injectable()
export class OriginMiddleware implements NestMiddleware {
  private readonly origins: ReadonlySet<string>;
  private readonly requestHeaders: string;

  constructor(@Inject(CONFIG) config: Config) {
    this.origins = new Set(config.ALLOWED_ORIGINS);
    this.requestHeaders = [config.API_KEY_HEADER, ...REQUEST_HEADERS].join(', ');
  }

  use(request: Request, response: Response, next: NextFunction): void {
    const { origin } = request.headers;
    response.vary('Origin');
    if (origin !== undefined) {
      if (!this.origins.has(origin)) throw new SandboxError(ErrorCode.ORIGIN_NOT_ALLOWED, 'Requests from this web origin are not allowed.');
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Expose-Headers', RESPONSE_HEADERS.join(', '));
    }
    if (request.method !== 'OPTIONS') return next();
    if (origin !== undefined) {
      response.setHeader('Access-Control-Allow-Methods', PREFLIGHT_METHODS);
      response.setHeader('Access-Control-Allow-Headers', this.requestHeaders);
      response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS));
    }
    response.setHeader('Allow', ALLOWED_METHODS);
    response.status(204).end();
  }
}
