import type { Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Config } from '@sandbox/config';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { serveDocs } from './openapi/openapi';
import { parseQuery } from './request/query-parser';
import { requestId } from './request/request-id';
import { requestLog } from './request/request-log';
import { tellQueuedResponses } from './server/queued-responses';
import { limitServer } from './server/server-limits';
import { endUnreadAnswers } from './server/unread-answers';

/**
 * Sets up the Express part of the service, for the service and its tests alike. AppModule sets up
 * the Nest part.
 */
export function configureApp(app: NestExpressApplication, config: Config): void {
  app.disable('x-powered-by');
  // Answers belong to one user and change at any time, so they get no validators and no caches.
  app.disable('etag');
  app.set('query parser', parseQuery);
  app.use(requestId, requestLog, answerHeaders);
  app.use('/docs', pageHeaders());
  serveDocs(app, config);
  const server = app.getHttpServer() as Server;
  limitServer(server, config);
  endUnreadAnswers(server);
  tellQueuedResponses(server);
}

/**
 * Headers of the only page, Swagger UI. They allow just what it needs. The TLS proxy decides
 * whether browsers have to use TLS.
 */
function pageHeaders(): ReturnType<typeof helmet> {
  const none = ["'none'"];
  const self = ["'self'"];
  return helmet({
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: none,
        baseUri: none,
        formAction: none,
        frameAncestors: none,
        scriptSrc: self,
        styleSrc: [...self, "'unsafe-inline'"],
        imgSrc: [...self, 'data:'],
        connectSrc: self,
      },
    },
  });
}

/**
 * Headers of every answer. A browser may store nothing, because answers belong to one user. And it
 * may neither run nor frame them.
 */
function answerHeaders(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('Cache-Control', 'no-store');
  next();
}
