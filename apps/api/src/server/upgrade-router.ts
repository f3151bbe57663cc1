import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ThrottlerStorage } from '@nestjs/throttler';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import { Admission } from '../auth/admission';
import type { Identity } from '../auth/identity';
import { logFailure } from '../problems/log-failure';
import { toProblem, toSandboxError } from '../problems/problem';
import { rateLimited } from '../rate-limit/rate-limited';
import { givenId } from '../request/request-id';
import type { ExpressServerAdapter } from './express-server';
import { rawProblem } from './raw-response';

/** How long a client may take to read the refusal of an upgrade. */
const REFUSAL_MS = 5_000;

/** A caller that asks for an upgrade, after the guards. */
export interface UpgradeCaller {
  readonly user: User;
  /** When the credential ends, in milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null;
  readonly requestId: string;
}

/** Takes over the connection. From then on the route answers for the socket. */
export type AcceptUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** A kind of connection that an upgrade can open. `Address` is what the route reads of the URL. */
export interface UpgradeRoute<Address> {
  /** Matches the path of the URL, without the query. */
  readonly path: RegExp;
  /** @throws SandboxError BAD_REQUEST, VALIDATION_FAILED */
  readAddress(match: RegExpExecArray, search: string | undefined): Address;
  /**
   * Redeems the ticket that stands in the address, in place of a credential in the headers.
   * @returns undefined if there is no ticket; null if the ticket is not valid
   */
  redeemTicket(address: Address): Promise<Identity | null> | undefined;
  /**
   * Prepares what is asked for, before the connection is taken over.
   * @throws SandboxError, which the router answers as a problem document
   */
  openUpgrade(address: Address, caller: UpgradeCaller): Promise<AcceptUpgrade>;
  /** Ends the connections of the route, and those that are just being opened. */
  closeAll(): void;
}

/**
 * Hands an upgraded connection to the route that its path names. Nest's guards do not see upgrades.
 * So the router asks the guards' questions once for all routes, in the same order: who is the user,
 * then how much has the user asked for.
 */
@Injectable()
export class UpgradeRouter implements OnApplicationBootstrap {
  private readonly routes: UpgradeRoute<unknown>[] = [];

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ThrottlerStorage) private readonly counts: ThrottlerStorage,
    private readonly adapterHost: HttpAdapterHost,
    private readonly admission: Admission,
  ) {}

  onApplicationBootstrap(): void {
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const other = (this.adapterHost.httpAdapter as ExpressServerAdapter).otherHostOf(request);
      if (other === null) void this.routeUpgrade(request, socket, head);
      else other.serveUpgrade(request, socket, head);
    });
  }

  addRoute<Address>(route: UpgradeRoute<Address>): void {
    this.routes.push(route as UpgradeRoute<unknown>);
  }

  /**
   * Ends all upgraded connections. Their clients come back to another process or to a later one.
   */
  closeAll(): void {
    for (const route of this.routes) route.closeAll();
  }

  private async routeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const requestId = givenId(request) ?? randomUUID();
    // Without a listener, an error of a socket that no route has taken over would end the process.
    socket.on('error', () => undefined);
    try {
      const { route, address } = this.findRoute(request.url ?? '');
      const { user, expiresAt } = await this.admit(request, route.redeemTicket(address));
      const caller = { user: { ...user, requestId }, expiresAt, requestId };
      await this.countRequest(caller.user);
      const accept = await route.openUpgrade(address, caller);
      accept(request, socket, head);
    } catch (exception) {
      const error = toSandboxError(exception);
      logFailure(error, requestId);
      refuseUpgrade(socket, this.refusal(error, requestId));
    }
  }

  /** @throws SandboxError NOT_FOUND, or as the route's readAddress */
  private findRoute(url: string): { route: UpgradeRoute<unknown>; address: unknown } {
    const [path = '', search] = url.split('?', 2);
    for (const route of this.routes) {
      const match = route.path.exec(path);
      if (match !== null) return { route, address: route.readAddress(match, search) };
    }
    throw new SandboxError(ErrorCode.NOT_FOUND, 'There is nothing at this address for a WebSocket.');
  }

  private async admit(request: IncomingMessage, ticket: Promise<Identity | null> | undefined): Promise<Identity> {
    if (ticket === undefined) return this.admission.admit(request);
    const identity = await ticket;
    if (identity === null) throw this.admission.refusal(request, true);
    return identity;
  }

  /** Counts the upgrade as one request of the user's. */
  private async countRequest({ id }: User): Promise<void> {
    const { RATE_LIMIT_REQUESTS: limit, RATE_LIMIT_WINDOW_SECONDS: seconds } = this.config;
    const { isBlocked, timeToBlockExpire } = await this.counts.increment(id, seconds * 1000, limit, seconds * 1000, 'default');
    if (isBlocked) throw rateLimited(limit, seconds, timeToBlockExpire);
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

/**
 * Answers and closes the connection. The server no longer times out a connection that asked for an
 * upgrade. So if the client keeps it open, this closes it.
 */
function refuseUpgrade(socket: Duplex, answer: string): void {
  socket.end(answer, () => socket.destroy());
  setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
}
