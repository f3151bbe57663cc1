import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  SESSION_STORE,
  type AttachResult,
  type CallHold,
  type SandboxOptions,
  type SessionOptions,
  type SessionRecord,
  type SessionRef,
  type SessionStore,
} from '@sandbox/sessions';
import { openAgentChannel } from './agent-channel';
import { RequestNotSentError, type Channel } from './channel/channel';
import { CLOSING_MS, keptClosed, removeClosed } from './closing';
import { FairLimit } from './fair-limit';
import { FairStarts } from './fair-starts';
import { limitReached, tooManyWaiting } from './limit-errors';
import { SANDBOX_RUNTIME, type Sandbox, type SandboxRuntime } from './sandbox-runtime';
import { isDefaultSandbox } from './session-options';
import { WarmPool } from './warm-pool';

/** Entering a session, making its sandbox and opening its channel take no longer than this together, milliseconds. */
const ENTER_DEADLINE_MS = 28_000;
/** A call's hold outlives its deadline by so much: the channel's own grace before it gives a call up. Milliseconds. */
const HOLD_GRACE_MS = 10_000;
const CLOSING_POLL_MS = 25;
/**
 * How often the calls under way tell the store that they are, so that a flushed store forgets none of them and commands go on to count
 * (COMMAND_LEASE_MS). Milliseconds.
 */
const REASSERT_MS = 5_000;
/** Sandboxes that may wait to be made, beyond CREATE_CONCURRENCY. */
const CREATE_QUEUE = 256;

/** A session's sandbox, for the time of one call. */
export interface Lease {
  readonly channel: Channel;
  readonly containerId: string;
  /** Of the session, when the call entered it. */
  readonly record: SessionRecord;
  /** What the sandbox was asked to be when it was made. */
  readonly options: SandboxOptions;
  /**
   * Whether the session's sandbox was made anew and no call has said so yet: true for one call (for two, where the store is away). Asks the
   * store only where it was. Never rejects.
   */
  readonly takeRestarted: () => Promise<boolean>;
}

/** How a call enters a session. */
export interface Entry {
  /** It runs a command, and counts as one. */
  readonly command?: boolean;
  /** Of a session that this call begins. */
  readonly options?: SessionOptions;
  /** Aborted when the caller goes away: it waits no longer for its turn to have a sandbox made. */
  readonly signal?: AbortSignal;
}

interface Connection {
  readonly sandbox: Sandbox;
  readonly channel: Channel;
}

interface CallUnderWay {
  readonly ref: SessionRef;
  readonly hold: CallHold;
  /** Another one after the store was flushed. */
  generation: string;
}

/** The session was closed or begun anew by somebody else while this call was entering it. */
class SessionMovedError extends Error {}

/**
 * Brings calls into their session's sandbox and removes sandboxes; safe beside other replicas of itself.
 *
 * The engine is the truth and the store an index: a call enters the session in the store (so no sweeper takes it away), finds
 * the sandbox by name or makes it, and keeps a channel into it open for the calls that follow.
 *
 * A warm call costs one store round trip before its answer (`begin`) and one that nothing waits for (`end`), and no engine call
 * but the write into the open channel. (The rate limiter's own round trip comes before.)
 */
@Injectable()
export class SessionSandboxes implements OnApplicationShutdown {
  private readonly logger = new Logger(SessionSandboxes.name);
  private readonly connections = new Map<string, Connection>();
  private readonly connecting = new Map<string, Promise<Lease>>();
  private readonly callsUnderWay = new Set<CallUnderWay>();
  private readonly creations: FairLimit;
  private readonly starts = new FairStarts();
  private readonly reassertTimer: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly pool: WarmPool,
  ) {
    const most = config.CREATE_CONCURRENCY;
    // One place is never the same user's: whose sandboxes are slow to answer, or made so, keeps nobody else out.
    this.creations = new FairLimit((running, ofUser) => running < most && ofUser < Math.max(1, most - 1), CREATE_QUEUE, tooManyWaiting);
    this.reassertTimer = setInterval(() => void this.reassertCalls(), REASSERT_MS).unref();
  }

  /** Of this process: open channels, calls under way, and sandboxes that wait to be made. */
  get state(): { channels: number; calls: number; waiting: number } {
    return { channels: this.connections.size, calls: this.callsUnderWay.size, waiting: this.creations.waitingInAll };
  }

  /**
   * Runs `work` in the session's sandbox, making what is missing. Where the sandbox turns out to be gone before anything was sent to
   * it, entering starts over; work that was sent is never sent twice.
   * @param maxMs the longest time `work` can take; the session is kept alive for it
   * @throws SandboxError TOO_MANY_SESSIONS, TOO_MANY_COMMANDS, HOST_FULL; SANDBOX_UNRESPONSIVE where it takes over 28 s to get in
   */
  async enter<T>(ref: SessionRef, maxMs: number, work: (lease: Lease) => Promise<T>, entry: Entry = {}): Promise<T> {
    const giveUpAt = this.store.now() + ENTER_DEADLINE_MS;
    const hold: CallHold = { callId: randomUUID(), deadline: giveUpAt + maxMs + HOLD_GRACE_MS, command: entry.command };
    for (;;) {
      const record = await this.begin(ref, hold, giveUpAt, entry.options);
      const call: CallUnderWay = { ref, hold, generation: record.generation };
      this.callsUnderWay.add(call);
      try {
        const entered = await this.connect(record, giveUpAt, entry.signal);
        return await (entry.command ? this.starts.run(ref.userKey, () => work(entered), entry.signal) : work(entered));
      } catch (error) {
        const retry = error instanceof RequestNotSentError || error instanceof SessionMovedError;
        if (!retry) throw await this.explain(error, call);
        if (this.store.now() > giveUpAt) throw unresponsive(error);
      } finally {
        this.callsUnderWay.delete(call);
        this.end(call);
      }
      await sleep(CLOSING_POLL_MS);
    }
  }

  /** Removes the session's sandbox, its volume where one exists, and its record; all are gone when it resolves. Idempotent. */
  async remove(ref: SessionRef): Promise<void> {
    const giveUpAt = this.store.now() + ENTER_DEADLINE_MS;
    while (!(await this.close(ref.key)) || !(await this.removeWithVolume(ref, giveUpAt))) {
      if (this.store.now() > giveUpAt) throw unresponsive();
      await sleep(CLOSING_POLL_MS);
    }
  }

  private close(key: string): Promise<boolean> {
    return this.store.close(key, 'always', this.store.now(), this.store.now() + CLOSING_MS);
  }

  /** False where the session is not closed any more. */
  private removeWithVolume({ key }: SessionRef, giveUpAt: number): Promise<boolean> {
    return keptClosed(this.store, key, async (isClosed) => {
      this.connections.get(key)?.channel.close();
      do {
        // Again, where a call that entered before the mark has made a sandbox after it, with this volume; it finds itself outside and enters anew.
        if (this.store.now() > giveUpAt) throw unresponsive();
        if (!(await isClosed())) return false;
        await this.runtime.remove(key);
      } while (!(await this.runtime.removeVolume(key)));
      await this.store.remove(key);
      return true;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.reassertTimer);
    for (const { channel } of this.connections.values()) channel.close();
    await this.store.disconnect();
  }

  private async begin(ref: SessionRef, hold: CallHold, giveUpAt: number, options?: SessionOptions): Promise<SessionRecord> {
    for (;;) {
      const result = await this.store.begin(ref, hold, this.store.now(), options);
      if (result.state === 'live') return result.record;
      if (result.state === 'full') throw limitReached(result.limit);
      if (this.store.now() > giveUpAt) throw unresponsive();
      const abandoned = result.until < this.store.now();
      if (abandoned && (await this.close(ref.key))) await removeClosed(this.store, this.runtime, ref.key);
      else await sleep(CLOSING_POLL_MS);
    }
  }

  private end({ ref, generation, hold }: CallUnderWay): void {
    this.store.end(ref.key, generation, hold.callId, this.store.now()).catch((error: unknown) => {
      // The hold ends by itself at its deadline.
      this.logger.warn({ msg: 'the end of a call could not be stored', session: ref.key.slice(0, 12), err: error });
    });
  }

  private async connect(record: SessionRecord, giveUpAt: number, signal?: AbortSignal): Promise<Lease> {
    const { key } = record.ref;
    const connection = this.connections.get(key);
    if (connection?.channel.open && connection.sandbox.id === record.containerId) return this.lease(record, connection, record.restarted);
    const others = this.connecting.get(key);
    if (others) {
      // Another call of this process is at it. Entering anew then finds its connection, of whatever generation the session is by then.
      await others.catch(ignoreClosed);
      throw new SessionMovedError();
    }
    const late = AbortSignal.timeout(Math.max(0, giveUpAt - this.store.now()));
    const turn = signal ? AbortSignal.any([signal, late]) : late;
    const establishing = this.establish(record, giveUpAt, turn)
      .catch((error: unknown) => {
        // Its turn has not come in time, and the client is still there.
        throw hasLeft(error) && !signal?.aborted ? tooManyWaiting() : error;
      })
      .finally(() => this.connecting.delete(key));
    this.connecting.set(key, establishing);
    return establishing;
  }

  /** What waits in the pool is taken at once; what has to be made, or opened, waits for its turn. */
  private async establish(record: SessionRecord, giveUpAt: number, turn: AbortSignal): Promise<Lease> {
    const { key, userKey } = record.ref;
    const make = (): Promise<Connection> => this.make(record, giveUpAt);
    const connection = (await this.claim(record)) ?? (await this.creations.run(userKey, make, turn));
    const attached = await this.attach(record.generation, key, connection.sandbox);
    if (!attached.live) throw new SessionMovedError();
    return this.lease(record, connection, attached.restarted);
  }

  private lease(record: SessionRecord, { sandbox, channel }: Connection, restarted: boolean): Lease {
    const takeRestarted = async (): Promise<boolean> =>
      restarted && (await this.store.takeRestarted(record.ref.key, record.generation).catch(() => true));
    return { containerId: sandbox.id, options: sandbox.options, record, channel, takeRestarted };
  }

  /** Of the pool, where the session is new and asks for nothing else. */
  private async claim({ ref, containerId, options }: SessionRecord): Promise<Connection | null> {
    if (containerId !== null || !isDefaultSandbox(this.config, options ?? {})) return null;
    const claimed = await this.pool.claim(ref);
    return claimed && this.connected(ref.key, claimed);
  }

  private async make({ ref, options, ttlMs, metadata }: SessionRecord, giveUpAt: number): Promise<Connection> {
    const settings = {
      ttl_seconds: ttlMs === this.config.SESSION_TTL_SECONDS * 1000 ? undefined : ttlMs / 1000,
      metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    };
    return this.open(ref.key, await this.runtime.ensure(ref, options, settings), giveUpAt);
  }

  private attach(generation: string, key: string, { id, image, createdAt, pooled, options, settings }: Sandbox): Promise<AttachResult> {
    return this.store.attach(key, generation, { containerId: id, image, createdAt: pooled ? undefined : createdAt, options, settings });
  }

  private async open(key: string, sandbox: Sandbox, giveUpAt: number): Promise<Connection> {
    const known = this.connections.get(key);
    if (known?.channel.open && known.sandbox.id === sandbox.id) return known;
    return this.connected(key, { sandbox, channel: await this.openChannel(sandbox.id, giveUpAt) });
  }

  private connected(key: string, connection: Connection): Connection {
    this.connections.get(key)?.channel.close();
    this.connections.set(key, connection);
    void connection.channel.closed.then(() => {
      if (this.connections.get(key) === connection) this.connections.delete(key);
    });
    return connection;
  }

  private async openChannel(containerId: string, giveUpAt: number): Promise<Channel> {
    try {
      return await openAgentChannel(this.runtime, containerId);
    } catch (error) {
      // Nothing was asked of it yet: a sandbox that ended meanwhile is no reason to fail the call.
      if (error instanceof SandboxError && error.code === ErrorCode.SANDBOX_LOST && this.store.now() < giveUpAt)
        throw new SessionMovedError();
      throw error;
    }
  }

  /** A sandbox that ended because its session was deleted is the caller's own doing, not a fault. */
  private async explain(error: unknown, call: CallUnderWay): Promise<unknown> {
    if (!(error instanceof SandboxError) || error.code !== ErrorCode.SANDBOX_LOST) return error;
    const record = await this.store.get(call.ref.key, this.store.now()).catch(() => undefined);
    if (record === undefined || record?.generation === call.generation) return error;
    return new SandboxError(ErrorCode.SESSION_DELETED, 'The session was deleted while the call was under way.', { cause: error });
  }

  private async reassertCalls(): Promise<void> {
    await Promise.allSettled([...this.callsUnderWay].map((call) => this.reassert(call)));
  }

  private async reassert(call: CallUnderWay): Promise<void> {
    const connection = this.connections.get(call.ref.key);
    // Without one the call is still entering, which tells the store anyway, or its sandbox has just ended.
    if (!connection?.channel.open) return;
    const result = await this.store.resume(call.ref, call.hold, this.store.now());
    if (result.state === 'closing') return;
    call.generation = result.record.generation;
    if (result.record.containerId === null) await this.attach(call.generation, call.ref.key, connection.sandbox);
    // It may have ended while this was on its way.
    if (!this.callsUnderWay.has(call)) this.end(call);
  }
}

/** The call that went away waited for all that came after it: one of those takes its place. */
function ignoreClosed(error: unknown): void {
  if (!hasLeft(error)) throw error;
}

function hasLeft(error: unknown): boolean {
  return error instanceof SandboxError && error.code === ErrorCode.CLIENT_CLOSED_REQUEST;
}

function unresponsive(cause?: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_UNRESPONSIVE, 'The session’s sandbox could not be entered in time.', { cause, retryAfter: 1 });
}
