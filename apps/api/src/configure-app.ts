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

/** What is Express's to do, for the service and for tests of it alike. What is Nest's is in AppModule. */
export function configureApp(app: NestExpressApplication, config: Config): void {
  app.disable('x-powered-by');
  // Answers are a user's own and change at any time: no validators, no caches.
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

/** Of the one page there is: just what Swagger UI needs is let in. Whether browsers must use TLS is for the proxy that has it to say. */
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

/** Of every answer, whatever a browser makes of it: what is a user's own is kept nowhere, and nothing in it is run or shown in a page. */
function answerHeaders(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('Cache-Control', 'no-store');
  next();
}
