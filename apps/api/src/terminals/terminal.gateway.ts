import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ThrottlerStorage } from '@nestjs/throttler';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type TerminalName, TerminalsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { type WebSocket, WebSocketServer } from 'ws';
import { Admission } from '../auth/admission';
import type { Identity } from '../auth/identity';
import { logFailure } from '../problems/log-failure';
import { toProblem, toSandboxError } from '../problems/problem';
import { parseQuery } from '../request/query-parser';
import { rawProblem } from '../server/raw-response';
import { givenId } from '../request/request-id';
import { rateLimited } from '../rate-limit/rate-limited';
import { SessionIdDto } from '../sessions/sessions.dto';
import { withIntegers } from '../validation/query-values';
import { validateDto } from '../validation/validate-dto';
import { CLOSE, MAX_MESSAGE_BYTES, TerminalConnection } from './terminal-connection';
import { TerminalQuery } from './terminal.dto';
import { TerminalTickets } from './terminal-tickets';

const PATH = /^\/sessions\/([^/]+)\/terminal$/;
/** For a refusal to be taken, milliseconds. */
const REFUSAL_MS = 5_000;

/** Opens terminals over WebSockets (RFC 6455): the guards' questions, asked of an upgrade, which no guard of Nest's sees. */
@Injectable()
export class TerminalGateway implements OnApplicationBootstrap {
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  private readonly connections = new Set<TerminalConnection>();
  private stopping = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ThrottlerStorage) private readonly counts: ThrottlerStorage,
    private readonly adapterHost: HttpAdapterHost,
    private readonly admission: Admission,
    private readonly tickets: TerminalTickets,
    private readonly terminals: TerminalsService,
  ) {}

  onApplicationBootstrap(): void {
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.upgrade(request, socket, head, givenId(request) ?? randomUUID());
    });
  }

  /** Their clients come back within a minute, to a replica that stays; so do those that are just being opened. */
  closeAll(): void {
    this.stopping = true;
    for (const connection of this.connections) connection.close(CLOSE.GOING_AWAY);
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> {
    // Until it is a WebSocket's, which listens itself.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    try {
      const { sessionId, query } = readAddress(request.url ?? '');
      const identity = await this.admit(request, sessionId, query.ticket);
      const user = { ...identity.user, requestId };
      await this.count(user);
      const { terminal, since } = await this.open(user, sessionId, query);
      this.sockets.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off('error', ignore);
        this.serve(webSocket, { user, sessionId, terminal }, since, identity.expiresAt, requestId);
      });
    } catch (exception) {
      const error = toSandboxError(exception);
      logFailure(error, requestId);
      refuse(socket, this.refusal(error, requestId));
    }
  }

  private async admit(request: IncomingMessage, sessionId: string, ticket: string | undefined): Promise<Identity> {
    if (ticket === undefined) return this.admission.admit(request);
    const identity = await this.tickets.redeem(ticket, sessionId);
    if (identity === null) throw this.admission.refusal(request, true);
    return identity;
  }

  /** As a request of the user's. */
  private async count({ id }: User): Promise<void> {
    const { RATE_LIMIT_REQUESTS: limit, RATE_LIMIT_WINDOW_SECONDS: seconds } = this.config;
    const { isBlocked, timeToBlockExpire } = await this.counts.increment(id, seconds * 1000, limit, seconds * 1000, 'default');
    if (isBlocked) throw rateLimited(limit, seconds, timeToBlockExpire);
  }

  private async open(
    user: User,
    sessionId: string,
    { terminal, since, command, cols = 80, rows = 24 }: TerminalQuery,
  ): Promise<{ terminal: string; since: number }> {
    if (terminal === undefined) return { terminal: await this.terminals.open(user, sessionId, command, { cols, rows }), since: 0 };
    const written = await this.terminals.written({ user, sessionId, terminal });
    return { terminal, since: Math.min(since ?? 0, written) };
  }

  private serve(socket: WebSocket, name: TerminalName, since: number, expiresAt: number | null, requestId: string): void {
    const connection = new TerminalConnection(socket, this.terminals, name, requestId);
    this.connections.add(connection);
    socket.once('close', () => this.connections.delete(connection));
    void connection.run(since, expiresAt);
    if (this.stopping) connection.close(CLOSE.GOING_AWAY);
  }

  private refusal(error: SandboxError, requestId: string): string {
    const { code, retryAfter } = error;
    const headers = [
      ...(code === ErrorCode.UNAUTHORIZED ? this.admission.challenges.map((challenge) => `WWW-Authenticate: ${challenge}`) : []),
      ...(retryAfter === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfter)}`]),
    ];
    return rawProblem(toProblem(error, requestId), headers);
  }
}

/** The server no longer has a time for a connection that asked for an upgrade: whose client does not close it is closed here. */
function refuse(socket: Duplex, answer: string): void {
  socket.end(answer, () => socket.destroy());
  setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
}

/** @throws SandboxError NOT_FOUND, BAD_REQUEST, VALIDATION_FAILED */
function readAddress(url: string): { sessionId: string; query: TerminalQuery } {
  const [path = '', search] = url.split('?', 2);
  const session = PATH.exec(path)?.[1];
  if (session === undefined) throw new SandboxError(ErrorCode.NOT_FOUND, 'There is nothing at this address for a WebSocket.');
  const { session_id } = validateDto(SessionIdDto, { session_id: decode(session) });
  return { sessionId: session_id, query: validateDto(TerminalQuery, withIntegers(TerminalQuery, { ...parseQuery(search) })) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The address is not percent-encoded UTF-8.');
  }
}
