import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, type AttachResult, type SessionRecord, type SessionStore } from '@sandbox/sessions';
import { connectTo, type Connection } from '../runtime/start-agent';
import type { Channel, Transport } from '../channel/channel';
import { OutgoingNetwork } from '../outgoing/outgoing-network';
import { SandboxNetwork } from '../outgoing/sandbox-network';
import { FairLimit } from '../turns/fair-limit';
import { tooManyWaiting } from './limit-errors';
import type { OpenSandbox } from './open-sandbox';
import { SANDBOX_RUNTIME, type Sandbox, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { isDefaultSandbox } from '../options/session-options';
import { WarmPool } from '../pool/warm-pool';

/** How many sandboxes may wait to be made, beyond CREATE_CONCURRENCY. */
const CREATE_QUEUE = 256;
/**
 * How many new sandboxes are remembered until a session has them. Past it the oldest is dropped.
 */
const MAX_MADE = 1_000;

/**
 * A call has to enter its session again: another call has just made the connection, or the session
 * was closed or begun anew meanwhile.
 */
export class EnterAgainError extends Error {}

/** An open channel into a session's sandbox. */
interface SessionConnection extends Connection {
  /** Whether the store has been told of it. */
  attached: boolean;
  /** Null until the store has been told of it. */
  network: SandboxNetwork | null;
}

/**
 * Holds the open channels of one API process into its sessions' sandboxes. If a sandbox or a
 * channel is missing, it makes one. One call of a session does that, and the session's other calls
 * wait.
 */
@Injectable()
export class SessionConnections {
  private readonly connections = new Map<string, SessionConnection>();
  private readonly connecting = new Map<string, Promise<OpenSandbox>>();
  private readonly joining = new Map<string, Promise<void>>();
  private readonly creations: FairLimit;
  /**
   * Ids of sandboxes that this process has made and that no session's record has yet. If a call
   * fails in between, the next call finds the id here and still says that it made the session.
   */
  private readonly made = new Set<string>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly pool: WarmPool,
    private readonly outgoing: OutgoingNetwork,
  ) {
    const most = config.CREATE_CONCURRENCY;
    // One user gets at most all places but one. So a user whose sandboxes start slowly, even on
    // purpose, cannot block everybody else.
    this.creations = new FairLimit((running, ofUser) => running < most && ofUser < Math.max(1, most - 1), CREATE_QUEUE, tooManyWaiting);
  }

  /** How many channels are open, by the way that their frames take. */
  get counts(): Record<Transport, number> {
    const counts = { direct: 0, exec: 0 };
    for (const { channel } of this.connections.values()) counts[channel.transport] += 1;
    return counts;
  }

  /** How many sandboxes wait to be made. */
  get waiting(): number {
    return this.creations.waitingInAll;
  }

  isOpen(key: string): boolean {
    return this.connections.get(key)?.channel.open ?? false;
  }

  closeChannel(key: string): void {
    this.connections.get(key)?.channel.close();
  }

  closeAll(): void {
    for (const { channel } of this.connections.values()) channel.close();
  }

  /**
   * Gets a call into the session's sandbox, making what is missing.
   * @param giveUpAt in milliseconds, by the store's clock
   * @param signal aborts when the caller goes away, which ends its wait for a turn
   * @throws EnterAgainError if the session has to be entered again
   */
  async openSandbox(record: SessionRecord, giveUpAt: number, signal?: AbortSignal): Promise<OpenSandbox> {
    const { key } = record.ref;
    const connection = this.connections.get(key);
    if (connection?.channel.open && connection.sandbox.id === record.containerId) {
      if (record.startId === null || record.startId === connection.start.id) {
        const changing = this.followNetwork(record, connection);
        if (changing !== undefined) await changing;
        return this.openSandboxOf(record, connection, record);
      }
      // Another process has found the sandbox started again. This channel has ended, and its
      // `close` event has not come yet.
      connection.channel.close();
    }
    const others = this.connecting.get(key);
    if (others) {
      // Another call of this process is making the connection. Once it is there, this call enters
      // again, since the session may have another generation by then.
      await others.catch(ignoreClosed);
      throw new EnterAgainError();
    }
    const late = AbortSignal.timeout(Math.max(0, giveUpAt - this.store.now()));
    const turn = signal ? AbortSignal.any([signal, late]) : late;
    const establishing = this.establish(record, giveUpAt, turn)
      .catch((error: unknown) => {
        // The turn has not come in time, and the client is still there.
        throw hasLeft(error) && !signal?.aborted ? tooManyWaiting() : error;
      })
      .finally(() => this.connecting.delete(key));
    this.connecting.set(key, establishing);
    return establishing;
  }

  /**
   * Gets into a live session's sandbox if that runs. Makes and starts none.
   * @returns null if the sandbox of the record does not run
   */
  async joinSandbox({ ref: { key }, containerId }: SessionRecord): Promise<Channel | null> {
    const open = (): Channel | null => {
      const known = this.connections.get(key);
      return known?.channel.open && known.sandbox.id === containerId ? known.channel : null;
    };
    if (open() === null) await (this.connecting.get(key) ?? this.join(key, containerId)).catch(ignoreLost);
    return open();
  }

  /**
   * Has the rules of a session's network hold at once, after the store has got them. Connections
   * that they do not allow any more are cut.
   */
  async changeNetwork({ ref, containerId, network }: SessionRecord): Promise<void> {
    if (containerId !== null && network !== null) await this.runtime.rememberNetwork(containerId, network);
    await this.connections.get(ref.key)?.network?.readRules();
  }

  /** What this process knows of a session's network. */
  networkOf(key: string): SandboxNetwork | null {
    return this.connections.get(key)?.network ?? null;
  }

  /**
   * Tells a store that has forgotten the session which sandbox it has, if a channel into it is
   * open.
   */
  async remind({ ref, generation }: SessionRecord): Promise<void> {
    const connection = this.connections.get(ref.key);
    if (connection?.channel.open) await this.attach(generation, ref.key, connection);
  }

  /** Opens a channel for all who want to join at the same time. */
  private join(key: string, containerId: string | null): Promise<void> {
    const others = this.joining.get(key);
    if (others) return others;
    const joining = this.connectIfThere(key, containerId).finally(() => this.joining.delete(key));
    this.joining.set(key, joining);
    return joining;
  }

  private async connectIfThere(key: string, containerId: string | null): Promise<void> {
    const sandbox = await this.runtime.findSandbox(key);
    if (sandbox === null || sandbox.id !== containerId) return;
    const connection = await connectTo(this.runtime, sandbox);
    // A call may have opened another channel meanwhile.
    if (this.isOpen(key)) connection.channel.close();
    else this.connected(key, connection);
  }

  /**
   * Takes a sandbox from the pool at once. Making one, or opening a channel, waits for its turn.
   */
  private async establish(record: SessionRecord, giveUpAt: number, turn: AbortSignal): Promise<OpenSandbox> {
    const { key, userKey } = record.ref;
    const make = (): Promise<SessionConnection> => this.makeSandbox(record, giveUpAt);
    const connection = (await this.claimPooled(record)) ?? (await this.creations.runLimited(userKey, make, turn));
    const attached = await this.attach(record.generation, key, connection);
    if (!attached.live) throw new EnterAgainError();
    await this.followNetwork(record, connection);
    const rules = connection.network?.givenRules ?? null;
    const { id, settings } = connection.sandbox;
    if (rules !== null && !isDeepStrictEqual(rules, settings.network)) await this.runtime.rememberNetwork(id, rules);
    return this.openSandboxOf(record, connection, attached);
  }

  /**
   * Lets the sandbox reach what the session's rules allow.
   * @returns a promise if that takes time
   */
  private followNetwork(record: SessionRecord, connection: SessionConnection): Promise<void> | undefined {
    if (!this.outgoing.isOffered) return undefined;
    connection.network ??= new SandboxNetwork(this.outgoing, record, connection.channel);
    return connection.network.follow(record);
  }

  private openSandboxOf(
    record: SessionRecord,
    { sandbox, channel, start, network }: SessionConnection,
    { restarted, created = false }: { restarted: boolean; created?: boolean },
  ): OpenSandbox {
    const takeRestarted = async (): Promise<boolean> =>
      restarted && (await this.store.takeRestarted(record.ref.key, record.generation).catch(() => true));
    const { id: containerId, options } = sandbox;
    return { containerId, startId: start.id, options, network, record, channel, created, restarted, takeRestarted };
  }

  /** Takes a sandbox from the pool if the session is new and has the default options. */
  private async claimPooled({ ref, containerId, options }: SessionRecord): Promise<SessionConnection | null> {
    if (containerId !== null || !isDefaultSandbox(this.config, options ?? {})) return null;
    const claimed = await this.pool.claimSandbox(ref);
    if (claimed === null) return null;
    this.noteMade(claimed.sandbox);
    return this.connected(ref.key, claimed);
  }

  private async makeSandbox({ ref, options, ttlMs, metadata }: SessionRecord, giveUpAt: number): Promise<SessionConnection> {
    const settings = {
      ttl_seconds: ttlMs === this.config.SESSION_TTL_SECONDS * 1000 ? undefined : ttlMs / 1000,
      metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    };
    const sandbox = await this.runtime.ensureSandbox(ref, options, settings);
    if (sandbox.created) this.noteMade(sandbox);
    const known = this.connections.get(ref.key);
    if (known?.channel.open && known.sandbox.id === sandbox.id) return known;
    return this.connected(ref.key, await this.connect(sandbox, giveUpAt));
  }

  private noteMade({ id }: Sandbox): void {
    this.made.add(id);
    for (const oldest of this.made) {
      if (this.made.size <= MAX_MADE) return;
      this.made.delete(oldest);
    }
  }

  private async attach(generation: string, key: string, connection: SessionConnection): Promise<AttachResult> {
    const { sandbox, start, attached } = connection;
    const { id, image, createdAt, pooled, options, settings } = sandbox;
    const origin = this.made.has(id) ? 'made' : start.again && !attached ? 'restarted' : 'found';
    const result = await this.store.attachSandbox(key, generation, {
      containerId: id,
      startId: start.id,
      origin,
      image,
      createdAt: pooled ? undefined : createdAt,
      options,
      settings,
    });
    if (!result.live) return result;
    this.made.delete(id);
    connection.attached = true;
    return result;
  }

  private connected(key: string, connection: Connection): SessionConnection {
    this.connections.get(key)?.channel.close();
    const known = { ...connection, attached: false, network: null };
    this.connections.set(key, known);
    void connection.channel.closed.then(() => {
      if (this.connections.get(key) === known) this.connections.delete(key);
    });
    return known;
  }

  private async connect(sandbox: Sandbox, giveUpAt: number): Promise<Connection> {
    try {
      return await connectTo(this.runtime, sandbox);
    } catch (error) {
      // Nothing was asked of the sandbox yet, so the call need not fail if it ended meanwhile.
      if (error instanceof SandboxError && error.code === ErrorCode.SANDBOX_LOST && this.store.now() < giveUpAt)
        throw new EnterAgainError();
      throw error;
    }
  }
}

/**
 * Several calls wait for the first one's sandbox. If the first client leaves, that must not fail
 * the others: one of them makes the sandbox.
 */
function ignoreClosed(error: unknown): void {
  if (!hasLeft(error)) throw error;
}

/** The sandbox has ended, or another call could not make it. Then there is none to join. */
function ignoreLost(error: unknown): void {
  if (!(error instanceof EnterAgainError) && !(error instanceof SandboxError && error.code === ErrorCode.SANDBOX_LOST)) throw error;
}

function hasLeft(error: unknown): boolean {
  return error instanceof SandboxError && error.code === ErrorCode.CLIENT_CLOSED_REQUEST;
}
