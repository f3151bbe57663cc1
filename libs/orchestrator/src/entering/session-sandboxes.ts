import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import {
  SESSION_STORE,
  type CallHold,
  type SessionOptions,
  type SessionRecord,
  type SessionRef,
  type SessionStore,
} from '@sandbox/sessions';
import { RequestNotSentError } from '../channel/channel';
import { CLOSING_MS, keptClosed, removeClosed } from './session-removal';
import { FairStarts } from './fair-starts';
import { limitReached } from './limit-errors';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { type Lease, SessionConnections, SessionMovedError } from './session-connections';
import { withSessionNews } from './session-news';
import { WarmPool } from '../pool/warm-pool';

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

/** How a call enters a session. */
export interface Entry {
  /** It runs a command, and counts as one. */
  readonly command?: boolean;
  /** Of a session that this call begins. */
  readonly options?: SessionOptions;
  /** Aborted when the caller goes away: it waits no longer for its turn to have a sandbox made. */
  readonly signal?: AbortSignal;
}

interface CallUnderWay {
  readonly ref: SessionRef;
  readonly hold: CallHold;
  /** Another one after the store was flushed. */
  generation: string;
}

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
  private readonly connections: SessionConnections;
  private readonly callsUnderWay = new Set<CallUnderWay>();
  private readonly starts = new FairStarts();
  private readonly reassertTimer: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    pool: WarmPool,
  ) {
    this.connections = new SessionConnections(config, store, runtime, pool);
    this.reassertTimer = setInterval(() => void this.reassertCalls(), REASSERT_MS).unref();
  }

  /** Of this process: open channels, calls under way, and sandboxes that wait to be made. */
  get state(): { channels: number; calls: number; waiting: number } {
    return { channels: this.connections.size, calls: this.callsUnderWay.size, waiting: this.connections.waiting };
  }

  /**
   * Runs `work` in the session's sandbox, making what is missing. Where the sandbox turns out to be
   * gone before anything was sent to it, entering starts over; work that was sent is never sent
   * twice. What an earlier attempt of the call made counts as this call's (`Lease.created`).
   * @param maxMs the longest time `work` can take; the session is kept alive for it
   * @throws SandboxError TOO_MANY_SESSIONS, TOO_MANY_COMMANDS, HOST_FULL; SANDBOX_UNRESPONSIVE
   *   where it takes over 28 s to get in
   */
  async enter<T>(ref: SessionRef, maxMs: number, work: (lease: Lease) => Promise<T>, entry: Entry = {}): Promise<T> {
    const giveUpAt = this.store.now() + ENTER_DEADLINE_MS;
    const hold: CallHold = { callId: randomUUID(), deadline: giveUpAt + maxMs + HOLD_GRACE_MS, command: entry.command };
    let made: string | undefined;
    for (;;) {
      const record = await this.begin(ref, hold, giveUpAt, entry.options);
      const call: CallUnderWay = { ref, hold, generation: record.generation };
      let lease: Lease | undefined;
      this.callsUnderWay.add(call);
      try {
        const entered = await this.connections.enter(record, giveUpAt, entry.signal);
        if (entered.created) made = record.generation;
        lease = made === record.generation ? { ...entered, created: true } : entered;
        const run = work.bind(undefined, lease);
        return await (entry.command ? this.starts.run(ref.userKey, run, entry.signal) : run());
      } catch (error) {
        const retry = error instanceof RequestNotSentError || error instanceof SessionMovedError;
        if (!retry) throw withSessionNews(this.config, await this.explain(error, call), lease);
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
      this.connections.close(key);
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
    this.connections.closeAll();
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
    // Without one the call is still entering, which tells the store anyway, or its sandbox has just ended.
    if (!this.connections.isOpen(call.ref.key)) return;
    const result = await this.store.resume(call.ref, call.hold, this.store.now());
    if (result.state === 'closing') return;
    call.generation = result.record.generation;
    if (result.record.containerId === null) await this.connections.remind(result.record);
    // It may have ended while this was on its way.
    if (!this.callsUnderWay.has(call)) this.end(call);
  }
}

function unresponsive(cause?: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_UNRESPONSIVE, 'The session’s sandbox could not be entered in time.', { cause, retryAfter: 1 });
}
