import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type TerminalName, TerminalsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Identity } from '../auth/identity';
import { decodePart } from '../request/decode-part';
import { parseQuery } from '../request/query-parser';
import { type AcceptUpgrade, type UpgradeCaller, type UpgradeRoute, UpgradeRouter } from '../server/upgrade-router';
import { SessionIdDto } from '../sessions/sessions.dto';
import { withIntegers } from '../validation/query-values';
import { validateDto } from '../validation/validate-dto';
import { CLOSE, MAX_MESSAGE_BYTES, TerminalConnection } from './terminal-connection';
import { TerminalQuery } from './terminal.dto';
import { TerminalTickets } from './terminal-tickets';

interface TerminalAddress {
  readonly sessionId: string;
  readonly query: TerminalQuery;
}

/** Opens terminals over WebSockets (RFC 6455). */
@Injectable()
export class TerminalGateway implements UpgradeRoute<TerminalAddress>, OnModuleInit {
  readonly path = /^\/sessions\/([^/]+)\/terminal$/;
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  private readonly connections = new Set<TerminalConnection>();
  private stopping = false;

  constructor(
    private readonly router: UpgradeRouter,
    private readonly tickets: TerminalTickets,
    private readonly terminals: TerminalsService,
  ) {}

  onModuleInit(): void {
    this.router.addRoute(this);
  }

  closeAll(): void {
    this.stopping = true;
    for (const connection of this.connections) connection.close(CLOSE.GOING_AWAY);
  }

  readAddress([, session = '']: RegExpExecArray, search: string | undefined): TerminalAddress {
    const { session_id } = validateDto(SessionIdDto, { session_id: decodePart(session) });
    return { sessionId: session_id, query: validateDto(TerminalQuery, withIntegers(TerminalQuery, { ...parseQuery(search) })) };
  }

  redeemTicket({ sessionId, query: { ticket } }: TerminalAddress): Promise<Identity | null> | undefined {
    return ticket === undefined ? undefined : this.tickets.redeem(ticket, sessionId);
  }

  async openUpgrade({ sessionId, query }: TerminalAddress, { user, expiresAt, requestId }: UpgradeCaller): Promise<AcceptUpgrade> {
    const { terminal, since } = await this.openTerminal(user, sessionId, query);
    const name = { user, sessionId, terminal };
    return (request, socket, head) =>
      this.sockets.handleUpgrade(request, socket, head, (webSocket) => this.serveTerminal(webSocket, name, since, expiresAt, requestId));
  }

  private async openTerminal(
    user: User,
    sessionId: string,
    { terminal, since, command, cols = 80, rows = 24 }: TerminalQuery,
  ): Promise<{ terminal: string; since: number }> {
    if (terminal === undefined) return { terminal: await this.terminals.openTerminal(user, sessionId, command, { cols, rows }), since: 0 };
    const written = await this.terminals.written({ user, sessionId, terminal });
    return { terminal, since: Math.min(since ?? 0, written) };
  }

  private serveTerminal(socket: WebSocket, name: TerminalName, since: number, expiresAt: number | null, requestId: string): void {
    const connection = new TerminalConnection(socket, this.terminals, name, requestId);
    this.connections.add(connection);
    socket.once('close', () => this.connections.delete(connection));
    void connection.runTerminal(since, expiresAt);
    if (this.stopping) connection.close(CLOSE.GOING_AWAY);
  }
}
