import type { Config } from '@sandbox/config';
import type { Request, Response } from 'express';
import type { Params } from 'nestjs-pino';
import { destination } from 'pino';

/** Asked every few seconds by those who watch the service. */
const PROBES: readonly string[] = ['/health', '/ready'];

/**
 * One JSON line for each request and each thing worth telling. No header, query string or body is ever logged: credentials, environment
 * values and file content come in them.
 */
export function logging(config: Pick<Config, 'DEBUG'>, stream: { write(line: string): void } = destination(1)): Params {
  return {
    pinoHttp: [
      {
        level: config.DEBUG ? 'debug' : 'info',
        genReqId: (request) => request.id,
        // Every line of a request carries its id and no more of it.
        quietReqLogger: true,
        customAttributeKeys: { reqId: 'request_id' },
        serializers: { req: describeRequest, res: ({ statusCode }: { statusCode: number }) => ({ statusCode }) },
        wrapSerializers: false,
        customLogLevel: (request, response, error) => requestLevel(request as Request, response as Response, error),
      },
      stream,
    ],
  };
}

function describeRequest(request: Request): Record<string, unknown> {
  return { method: request.method, path: request.originalUrl.split('?', 1)[0] };
}

function requestLevel(request: Request, response: Response, error?: Error): 'error' | 'info' | 'debug' {
  if (PROBES.includes(request.path)) return 'debug';
  return error !== undefined || response.statusCode >= 500 ? 'error' : 'info';
}
