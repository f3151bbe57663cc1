import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** Paths that monitoring asks every few seconds. They are logged at debug level. */
const PROBES: readonly string[] = ['/health', '/ready', '/metrics'];

const logger = new Logger('Requests');

/**
 * Logs one line for each request, once its answer is out or its client gone. It never logs a
 * header, query string or body, since they may hold credentials, environment values and file
 * content.
 */
export function requestLog(request: Request, response: Response, next: NextFunction): void {
  const began = performance.now();
  response.once('close', () => {
    const path = request.originalUrl.split('?', 1)[0]!;
    const { statusCode } = response;
    logger[levelOf(path, statusCode)]({
      msg: response.writableFinished ? 'request completed' : 'request aborted',
      request_id: request.id,
      req: { method: request.method, path },
      res: { statusCode },
      responseTime: Math.round(performance.now() - began),
    });
  });
  next();
}

function levelOf(path: string, statusCode: number): 'error' | 'log' | 'debug' {
  if (PROBES.includes(path)) return 'debug';
  return statusCode >= 500 ? 'error' : 'log';
}
