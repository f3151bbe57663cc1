import type { Duplex } from 'node:stream';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PortsService } from '@sandbox/orchestrator';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { IDLE_UPGRADED_MS } from '../proxying/forward-request';
import { joinConnections } from '../proxying/forward-upgrade';
import { decodePart } from '../request/decode-part';
import { parseQuery } from '../request/query-parser';
import { type AcceptUpgrade, type UpgradeCaller, type UpgradeRoute, UpgradeRouter } from '../server/upgrade-router';
import { refuseParameters } from '../validation/no-query.guard';
import { portAddress, type PortDto } from './ports.dto';

/** The longest message of a client. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const NOTHING = Buffer.alloc(0);

/**
 * Carries the bytes of a TCP connection to a port of a sandbox over a WebSocket (RFC 6455), as
 * binary messages. Either side's close is the other side's end of file.
 */
@Injectable()
export class TcpGateway implements UpgradeRoute<PortDto>, OnModuleInit {
  readonly path = /^\/sessions\/([^/]+)\/ports\/(\d+)\/tcp$/;
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });

  constructor(
    private readonly router: UpgradeRouter,
    private readonly ports: PortsService,
  ) {}

  onModuleInit(): void {
    this.router.addRoute(this);
  }

  closeAll(): void {
    for (const socket of this.sockets.clients) socket.close(GOING_AWAY);
  }

  readAddress([, session = '', port = '']: RegExpExecArray, search: string | undefined): PortDto {
    refuseParameters(Object.keys(parseQuery(search)));
    return portAddress(decodePart(session), port);
  }

  redeemTicket(): undefined {}

  async openUpgrade({ session_id, port }: PortDto, { user, expiresAt }: UpgradeCaller): Promise<AcceptUpgrade> {
    const opened = await this.ports.openOwn(user, session_id, port, expiresAt);
    const connection: Duplex = await opened.connect(IDLE_UPGRADED_MS);
    return (request, socket, head) => {
      // The client may have gone while the connection was made.
      if (socket.destroyed) connection.destroy();
      socket.once('close', () => connection.destroy());
      this.sockets.handleUpgrade(request, socket, head, (webSocket) =>
        joinConnections(createWebSocketStream(webSocket), NOTHING, connection, NOTHING),
      );
    };
  }
}
