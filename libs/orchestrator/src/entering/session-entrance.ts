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
import { RequestNotSentError, type Transport } from '../channel/channel';
import { ENTER_DEADLINE_MS, sandboxUnresponsive } from './enter-deadline';
import { FairStarts } from './fair-starts';
import { limitReached } from './limit-errors';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import type { OpenSandbox } from './open-sandbox';
import { EnterAgainError, SessionConnections } from './session-connections';
import { withSessionNews } from './session-news';
import { closeSession, removeClosed } from './session-removal';

/** How long a call's hold outlives the call's deadline. The channel gives a call up that late. */
const HOLD_GRACE_MS = 10_000;
/**
 * The longest hold of a call. A longer call renews it. If its process dies, the session is held for
 * no longer than this, and not for the hour that a download may take.
 */
const MAX_HOLD_MS = 330_000;
/** How long a call waits before it tries again to enter a session that is being removed. */
const RETRY_MS = 25;
/**
 * How often each call under way renews its hold in the store. A flushed store so learns of every
 * call again, and a command goes on to count (COMMAND_LEASE_MS).
 */
const REASSERT_MS = 5_000;

/** How a call enters a session. */
export interface EnterOptions {
  /** Whether the call runs a command and counts as one. */
  readonly command?: boolean;
  /** The options of the session, if this call begins it. */
  readonly options?: SessionOptions;
  /**
   * Aborts when the caller goes away. That ends the call's wait for its turn, and nothing else:
   * `work` has to listen to its own signal.
   */
  readonly signal?: AbortSignal;
}

interface AskedCall {
  readonly ref: SessionRef;
  readonly callId: string;
  readonly command: boolean | undefined;
  /** When the call has ended in any case, by the store's clock. */
  readonly endsBy: number;
}

interface CallUnderWay extends AskedCall {
  /** Changes when the session begins again, as after a flush of the store. */
  generation: string;
}

/**
 * Brings calls into their sessions' sandboxes. Several API processes may do so at the same time.
 *
 * The runtime has the truth, and the store is an index of it. A call first enters the session in
 * the store, so that no sweeper removes it. Then it finds the sandbox by name or makes it. The
 * channel into the sandbox stays open for the calls that follow.
 *
 * A warm call costs one round trip to the store before its answer (`beginCall`) and one that
 * nothing waits for (`endCall`). It makes no call to the engine but the write into the open
 * channel.
 */
@Injectable()
export class SessionEntrance implements OnApplicationShutdown {
  private readonly logger = new Logger(SessionEntrance.name);
  private readonly callsUnderWay = new Set<CallUnderWay>();
  private readonly starts = new FairStarts();
  private readonly reassertTimer: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly connections: SessionConnections,
  ) {
    this.reassertTimer = setInterval(() => void this.reassertCalls(), REASSERT_MS).unref();
  }

  /**
   * Counts this process's open channels, its calls under way, and the sandboxes that wait to be
   * made.
   */
  get state(): { channels: Record<Transport, number>; calls: number; waiting: number } {
    return { channels: this.connections.counts, calls: this.callsUnderWay.size, waiting: this.connections.waiting };
  }

  /**
   * Runs `work` in the session's sandbox and makes what is missing for it.
   *
   * If the sandbox is gone before anything was sent to it, the call enters again and `work` runs
   * again from its start. A request that was sent is never sent twice. If an earlier attempt of the
   * call made the session, `OpenSandbox.created` is still true.
   * @param maxMs the longest time that `work` can take, without the time to get in; the session
   * lives at least that long
   * @throws SandboxError TOO_MANY_SESSIONS, TOO_MANY_COMMANDS, HOST_FULL, SESSION_DELETED;
   * SESSION_NOT_FOUND if the user's calls enter live sessions only;
   * SANDBOX_UNRESPONSIVE if it takes over 28 s to get in; what `work` throws
   */
  async enterSession<T>(
    ref: SessionRef,
    maxMs: number,
    work: (sandbox: OpenSandbox) => Promise<T>,
    options: EnterOptions = {},
  ): Promise<T> {
    const giveUpAt = this.store.now() + ENTER_DEADLINE_MS;
    const asked = { ref, callId: randomUUID(), command: options.command, endsBy: giveUpAt + maxMs + HOLD_GRACE_MS };
    let made: string | undefined;
    for (;;) {
      const record = await this.beginCall(asked, giveUpAt, options.options);
      const call: CallUnderWay = { ...asked, generation: record.generation };
      let sandbox: OpenSandbox | undefined;
      this.callsUnderWay.add(call);
      try {
        const opened = await this.connections.openSandbox(record, giveUpAt, options.signal);
        if (opened.created) made = record.generation;
        sandbox = made === record.generation ? { ...opened, created: true } : opened;
        const run = work.bind(undefined, sandbox);
        return await (options.command ? this.starts.runStart(ref.userKey, run, options.signal) : run());
      } catch (error) {
        const retry = error instanceof RequestNotSentError || error instanceof EnterAgainError;
        if (!retry) throw withSessionNews(this.config, await this.explainLoss(error, call), sandbox);
        if (this.store.now() > giveUpAt) throw sandboxUnresponsive(error);
      } finally {
        this.callsUnderWay.delete(call);
        this.endCall(call);
      }
      await sleep(RETRY_MS);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.reassertTimer);
    this.connections.closeAll();
    await this.store.disconnect();
  }

  private async beginCall(call: AskedCall, giveUpAt: number, options?: SessionOptions): Promise<SessionRecord> {
    const { ref } = call;
    for (;;) {
      const result = await this.store.beginCall(ref, this.holdOf(call), this.store.now(), options);
      if (result.state === 'live') return result.record;
      if (result.state === 'full') throw limitReached(result.limit);
      if (result.state === 'absent') throw new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session.');
      if (this.store.now() > giveUpAt) throw sandboxUnresponsive();
      const abandoned = result.until < this.store.now();
      if (abandoned && (await closeSession(this.store, ref.key))) await removeClosed(this.store, this.runtime, ref.key);
      else await sleep(RETRY_MS);
    }
  }

  private holdOf({ callId, command, endsBy }: AskedCall): CallHold {
    return { callId, command, deadline: Math.min(endsBy, this.store.now() + MAX_HOLD_MS) };
  }

  private endCall({ ref, generation, callId }: CallUnderWay): void {
    this.store.endCall(ref.key, generation, callId, this.store.now()).catch((error: unknown) => {
      // The hold ends by itself at its deadline.
      this.logger.warn({ msg: 'the end of a call could not be stored', sandbox_key: ref.key.slice(0, 12), err: error });
    });
  }

  /** If the sandbox ended because its session was deleted, the error says that. */
  private async explainLoss(error: unknown, call: CallUnderWay): Promise<unknown> {
    if (!(error instanceof SandboxError) || error.code !== ErrorCode.SANDBOX_LOST) return error;
    const record = await this.store.getSession(call.ref.key, this.store.now()).catch(() => undefined);
    if (record === undefined || record?.generation === call.generation) return error;
    return new SandboxError(ErrorCode.SESSION_DELETED, 'The session was deleted while the call was under way.', { cause: error });
  }

  private async reassertCalls(): Promise<void> {
    await Promise.allSettled([...this.callsUnderWay].map((call) => this.reassert(call)));
  }

  private async reassert(call: CallUnderWay): Promise<void> {
    // Without an open channel, the call is still entering, which tells the store. Or its sandbox
    // has just ended.
    if (!this.connections.isOpen(call.ref.key)) return;
    const result = await this.store.resumeCall(call.ref, this.holdOf(call), this.store.now());
    if (result.state === 'closing') return;
    call.generation = result.record.generation;
    if (result.record.containerId === null) await this.connections.remind(result.record);
    // The call may have ended meanwhile.
    if (!this.callsUnderWay.has(call)) this.endCall(call);
  }
}
