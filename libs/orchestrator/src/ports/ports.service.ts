import type { Duplex } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionRecord, type SessionRef, type SessionStore, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import { inLiveSandbox, sessionNotFound } from '../entering/live-sandbox';
import { SessionConnections } from '../entering/session-connections';
import { connectPort } from './connect-port';
import { type GrantInUse, GrantsInUse, type Leave } from './grants-in-use';
import { type ListeningPort, listListeningPorts } from './listening-ports';
import { grantIdOf, newPortToken } from './port-tokens';

/** A connection that carries nothing for so long is broken off, in milliseconds. */
const IDLE_MS = 300_000;

/** Stands for all ports of a sandbox in a grant. No program can listen on it. */
const ALL_PORTS = 0;

/** How the ids of leaves begin that come from a credential. A token's is hexadecimal. */
const OWN = 'own:';

/** What a caller gets for a port: whoever has the token reaches it. */
export interface ExposedPort {
  readonly token: string;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A port that the caller may reach now. */
export interface OpenPort {
  /**
   * Connects to it. The connection ends with the leave to reach the port.
   * @param idleMs it also ends if nothing moves for so long; Infinity: never
   * @throws SandboxError PORT_UNREACHABLE, TOO_MANY_CONNECTIONS, SANDBOX_*; as `enter` if the leave
   *   has ended
   */
  connect(idleMs?: number): Promise<Duplex>;
  /** Lists the ports of its session on which programs listen. */
  listPorts(): Promise<ListeningPort[]>;
}

/**
 * Ways to programs that listen on the loopback of a sandbox. They count as uses of a live session.
 * They make no session and start no sandbox, because nothing would listen there.
 *
 * Every method throws SandboxError STORE_UNAVAILABLE, and those that reach a sandbox SANDBOX_* and
 * RUNTIME_UNAVAILABLE.
 */
@Injectable()
export class PortsService implements OnApplicationShutdown {
  private readonly grants: GrantsInUse;
  /** Listings under way for previews, by SessionRef.key. */
  private readonly listings = new Map<string, Promise<ListeningPort[]>>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    private readonly connections: SessionConnections,
  ) {
    this.grants = new GrantsInUse(store);
  }

  /** How many connections to ports are open in this process, and how many there have been. */
  get state(): { open: number; total: number } {
    return this.grants.state;
  }

  /** Breaks off all connections to ports. */
  endConnections(): void {
    this.grants.endWhere(() => true);
  }

  onApplicationShutdown(): void {
    this.grants.close();
  }

  /**
   * Lists the ports on which programs of the session listen.
   * @throws SandboxError SESSION_NOT_FOUND
   */
  async listPorts(user: User, sessionId: string, signal?: AbortSignal): Promise<ListeningPort[]> {
    return this.listOf(await this.liveRecord(this.ref(user, sessionId)), signal);
  }

  /**
   * Lets whoever has the token reach a port of the session's present sandbox. A session has 64 such
   * tokens at most: one more takes the place of the one that ends first.
   * @throws SandboxError SESSION_NOT_FOUND
   */
  exposePort(user: User, sessionId: string, port: number, lifetimeSeconds: number): Promise<ExposedPort> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'expose_port', port }, async () => {
      const { containerId } = await this.liveRecord(ref);
      const token = newPortToken();
      const now = this.store.now();
      const expiresAt = now + lifetimeSeconds * 1000;
      await this.store.addPortGrant(grantIdOf(token)!, { key: ref.key, containerId, port, expiresAt }, now);
      return { token, expiresAt };
    });
  }

  /**
   * Lets whoever has the token reach all ports of the session's present sandbox.
   * @param token 32 hex digits, as hard to guess as those of `exposePort`
   * @throws SandboxError SESSION_NOT_FOUND
   */
  exposeAllPorts(user: User, sessionId: string, token: string, lifetimeSeconds: number): Promise<void> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'expose_port', port: ALL_PORTS }, async () => {
      const { containerId } = await this.liveRecord(ref);
      const now = this.store.now();
      const grant = { key: ref.key, containerId, port: ALL_PORTS, expiresAt: now + lifetimeSeconds * 1000 };
      await this.store.addPortGrant(grantIdOf(token)!, grant, now);
    });
  }

  /**
   * Prolongs what `exposeAllPorts` did. It does nothing if the token does not reach all ports of
   * this session (any more).
   */
  async prolongAllPorts(user: User, sessionId: string, token: string, lifetimeSeconds: number): Promise<void> {
    const id = grantIdOf(token);
    const now = this.store.now();
    const grant = id === null ? null : await this.store.findPortGrant(id, now);
    if (grant === null || grant.port !== ALL_PORTS || grant.key !== this.ref(user, sessionId).key) return;
    await this.store.addPortGrant(id!, { ...grant, expiresAt: now + lifetimeSeconds * 1000 }, now);
  }

  /**
   * Makes all tokens for a port of the session worthless, and ends the connections that they
   * opened: at once in this process, within some seconds in others. Also a token for all ports,
   * because it would still reach this one. Idempotent.
   */
  revokePort(user: User, sessionId: string, port: number): Promise<void> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'revoke_port', port }, async () => {
      for (const each of [port, ALL_PORTS]) await this.store.removePortGrants(ref.key, each);
      this.grants.endWhere(({ id, grant }) => !isOwn(id) && grant.key === ref.key && reaches(grant, port));
    });
  }

  /**
   * Reaches a port by its token.
   * @throws SandboxError NOT_FOUND, whatever the reason is
   */
  async openByToken(token: string, port: number): Promise<OpenPort> {
    const id = grantIdOf(token);
    if (id === null) throw noPreview();
    return this.open(id, port, () => this.store.findPortGrant(id, this.store.now()), noPreview);
  }

  /**
   * Reaches a port of a session of the user's own.
   * @param expiresAt when the user's credential ends, in milliseconds since the epoch; null: never
   * @throws SandboxError SESSION_NOT_FOUND
   */
  async openOwn(user: User, sessionId: string, port: number, expiresAt: number | null): Promise<OpenPort> {
    const { key } = this.ref(user, sessionId);
    const leave = { key, containerId: null, port, expiresAt: expiresAt ?? Number.MAX_SAFE_INTEGER };
    return this.open(`${OWN}${key}:${port}:${leave.expiresAt}`, port, async () => leave, sessionNotFound);
  }

  private async open(id: string, port: number, find: () => Promise<Leave | null>, absent: () => SandboxError): Promise<OpenPort> {
    const enter = async (): Promise<GrantInUse> => {
      const use = await this.grants.enter(id, find);
      if (use === null || !reaches(use.grant, port)) throw absent();
      return use;
    };
    await enter();
    const connect = async (idleMs = IDLE_MS): Promise<Duplex> => {
      const use = await enter();
      const stream = await this.grants.connect(use, () =>
        inLiveSandbox(this.connections, use.record, absent, (channel) => connectPort(channel, port, idleMs)),
      );
      if (stream === null) throw absent();
      return stream;
    };
    return { connect, listPorts: async () => this.listOnce((await enter()).record) };
  }

  /**
   * Lists the ports once for all who ask at the same time. Whoever has a URL may ask often, and a
   * session has only so many calls at a time.
   */
  private listOnce(record: SessionRecord): Promise<ListeningPort[]> {
    const { key } = record.ref;
    const listing = this.listings.get(key) ?? this.listOf(record).finally(() => this.listings.delete(key));
    this.listings.set(key, listing);
    return listing;
  }

  private listOf(record: SessionRecord, signal?: AbortSignal): Promise<ListeningPort[]> {
    return inLiveSandbox(this.connections, record, sessionNotFound, (channel) => listListeningPorts(channel, signal));
  }

  /** @throws SandboxError SESSION_NOT_FOUND */
  private async liveRecord({ key }: SessionRef): Promise<SessionRecord & { containerId: string }> {
    const record = await this.store.updateSession(key, {}, this.store.now());
    if (record?.containerId == null) throw sessionNotFound();
    return { ...record, containerId: record.containerId };
  }

  private ref(user: User, sessionId: string): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }
}

/** Whether a grant is for the port, or for all. */
function reaches({ port: granted }: Leave, port: number): boolean {
  return granted === port || granted === ALL_PORTS;
}

/** Whether the id is of a user's own leave, which no `revokePort` ends. */
function isOwn(id: string): boolean {
  return id.startsWith(OWN);
}

function noPreview(): SandboxError {
  return new SandboxError(ErrorCode.NOT_FOUND, 'There is no such preview (any more).');
}
