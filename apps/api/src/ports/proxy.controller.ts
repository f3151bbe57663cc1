import { All, Controller, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { PortsService } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { CurrentIdentity } from '../auth/current-user.decorator';
import type { Identity } from '../auth/identity';
import { forwardRequest } from '../proxying/forward-request';
import { OwnCredentials } from '../proxying/own-credentials';
import { requestHeaders } from '../proxying/request-headers';
import { StreamedBody } from '../request/json-body.guard';
import { portAddress } from './ports.dto';
import { proxiedPath, proxySide, writeProxiedHead } from './proxy-side';

/**
 * Passes requests with a credential of this API on to a program in a sandbox. OpenAPI has no form
 * for any method and any path, so the document describes it in words.
 */
@ApiExcludeController()
@Controller('sessions/:session_id/ports/:port/proxy')
export class ProxyController {
  constructor(
    private readonly ports: PortsService,
    private readonly credentials: OwnCredentials,
  ) {}

  @All(['', '*path'])
  @StreamedBody()
  async forward(
    @CurrentIdentity() { user, expiresAt }: Identity,
    @Param('session_id') session: string,
    @Param('port') number: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { session_id, port } = portAddress(session, number);
    const opened = await this.ports.openOwn(user, session_id, port, expiresAt);
    const side = proxySide(request.originalUrl, port, await this.credentials.headersOf(request));
    await forwardRequest(request, response, {
      connection: await opened.connect(),
      port,
      path: proxiedPath(request.originalUrl, side),
      headers: requestHeaders(request, side),
      writeHead: (_response, answer) => writeProxiedHead(response, answer, side),
    });
  }
}
