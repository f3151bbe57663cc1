import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PortsService } from '@sandbox/orchestrator';
import { toProblem } from '../problems/problem';
import { IDLE_UPGRADED_MS } from '../proxying/forward-request';
import { forwardUpgrade, responseOn } from '../proxying/forward-upgrade';
import { OwnCredentials } from '../proxying/own-credentials';
import { requestHeaders } from '../proxying/request-headers';
import { decodePart } from '../request/decode-part';
import { rawProblem } from '../server/raw-response';
import { type AcceptUpgrade, type UpgradeCaller, type UpgradeRoute, UpgradeRouter } from '../server/upgrade-router';
import { portAddress, type PortDto } from './ports.dto';
import { proxiedPath, proxySide, writeProxiedHead } from './proxy-side';

/** Passes WebSockets with a credential of this API on to a program in a sandbox. */
@Injectable()
export class ProxyGateway implements UpgradeRoute<PortDto>, OnModuleInit {
  readonly path = /^\/sessions\/([^/]+)\/ports\/(\d+)\/proxy(?:\/.*)?$/;

  constructor(
    private readonly router: UpgradeRouter,
    private readonly ports: PortsService,
    private readonly credentials: OwnCredentials,
  ) {}

  onModuleInit(): void {
    this.router.addRoute(this);
  }

  /** PortsService ends the connections. */
  closeAll(): void {}

  readAddress([, session = '', port = '']: RegExpExecArray): PortDto {
    return portAddress(decodePart(session), port);
  }

  redeemTicket(): undefined {}

  async openUpgrade({ session_id, port }: PortDto, { user, expiresAt, requestId }: UpgradeCaller): Promise<AcceptUpgrade> {
    const opened = await this.ports.openOwn(user, session_id, port, expiresAt);
    const connection = await opened.connect(IDLE_UPGRADED_MS);
    return (request, socket, head) => {
      this.forward(request, socket, head, connection, port).catch((error: unknown) => socket.end(rawProblem(toProblem(error, requestId))));
    };
  }

  private async forward(request: IncomingMessage, socket: Duplex, head: Buffer, connection: Duplex, port: number): Promise<void> {
    const { url = '' } = request;
    const side = proxySide(url, port, await this.credentials.headersOf(request));
    const forwarded = {
      connection,
      port,
      path: proxiedPath(url, side),
      headers: requestHeaders(request, side),
      writeHead: (response: ServerResponse, answer: IncomingMessage) => writeProxiedHead(response, answer, side),
    };
    await forwardUpgrade(socket, head, forwarded, () => responseOn(socket, request));
  }
}
