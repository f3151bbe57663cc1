import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { openAgentChannel } from './agent-channel';
import type { Channel } from './channel/channel';
import { SANDBOX_RUNTIME, type Sandbox, type SandboxOwner, type SandboxRuntime } from './sandbox-runtime';

export interface PoolState {
  /** Sandboxes that wait with an open channel. */
  readonly size: number;
  /** New sessions of this process, since its start, that took one; and those that could have and found none. */
  readonly hits: number;
  readonly misses: number;
}

/** A sandbox that was the pool's, and the channel into it; null where it has still to be opened. */
export interface Claimed {
  readonly sandbox: Sandbox;
  readonly channel: Channel | null;
}

interface Waiting {
  readonly sandbox: Sandbox;
  readonly channel: Channel;
}

/** How often the pool is looked through, so that what died or was claimed by another process is replaced. Milliseconds. */
const LOOK_MS = 10_000;
/** How often those are looked for that nobody keeps any more, milliseconds. */
const DRAIN_MS = 60_000;
/** For how long a look keeps what waits from being taken for a leftover, milliseconds. */
const KEEP_MS = 60_000;
/** After a failure, the next look comes so much later, milliseconds; doubled each time, up to the last. */
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 60_000;

/**
 * Sandboxes of the deployment's own settings that wait for a session. POOL_SIZE slots are shared by all replicas: a slot's name is
 * the lock under which one of them fills it, and the rename out of it the one by which a session takes what is there. Each process
 * keeps a channel into every one, so a claim costs two engine calls and the first command none more.
 *
 * A process that dies leaves them to the others; a process of other settings fills slots of its own, and removes what nobody keeps.
 */
@Injectable()
export class WarmPool implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WarmPool.name);
  private readonly size: number;
  /** By the sandbox's id. */
  private readonly waiting = new Map<string, Waiting>();
  private hits = 0;
  private misses = 0;
  private drainAt = 0;
  private backoffMs = 0;
  private looking: Promise<void> | null = null;
  /** A slot has become vacant since the look under way began. */
  private wanted = false;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
  ) {
    // A volume is its session's from the first: none can wait for whoever comes.
    this.size = config.WORKSPACE_PERSIST_VOLUMES ? 0 : config.POOL_SIZE;
  }

  get state(): PoolState {
    return { size: this.waiting.size, hits: this.hits, misses: this.misses };
  }

  onApplicationBootstrap(): void {
    this.lookAfter(0);
  }

  /**
   * A waiting sandbox, now this session's; null where none is there. Engine errors are the caller's to meet when it makes one.
   * Where the session has a sandbox already, nothing is claimed.
   */
  async claim(owner: SandboxOwner): Promise<Claimed | null> {
    if (this.size === 0) return null;
    for (const [id, waiting] of this.waiting) {
      this.waiting.delete(id);
      if (!waiting.channel.open) continue;
      const claimed = await this.runtime.claim(owner, waiting.sandbox).catch((error: unknown) => this.failed(error));
      if (claimed === 'occupied') {
        this.waiting.set(id, waiting);
        return null;
      }
      this.wanted = true;
      this.lookAfter(0);
      if (claimed === 'empty') {
        waiting.channel.close();
        continue;
      }
      this.hits += 1;
      // Another process may have put another one there meanwhile.
      if (claimed.id === id && waiting.channel.open) return { sandbox: claimed, channel: waiting.channel };
      waiting.channel.close();
      return { sandbox: claimed, channel: null };
    }
    this.misses += 1;
    return null;
  }

  /** What waits is left to the other processes, and to the next that starts; where there can be none, it is removed. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
    const left = [...this.waiting.values()];
    this.waiting.clear();
    for (const { channel } of left) channel.close();
    if (this.config.SESSION_STORE === 'memory') await Promise.allSettled(left.map(({ sandbox }) => this.runtime.discard(sandbox)));
    else if (left.length > 0) await this.keep(left, this.store.now()).catch(ignored);
  }

  private lookAfter(ms: number): void {
    if (this.size === 0 || this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), Math.max(ms, this.backoffMs)).unref();
  }

  private look(): Promise<void> {
    this.looking ??= this.lookOnce().finally(() => {
      this.looking = null;
      this.lookAfter(this.wanted ? 0 : LOOK_MS);
    });
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    this.wanted = false;
    try {
      await this.fill();
      await this.keep([...this.waiting.values()], this.store.now() + KEEP_MS);
      if (performance.now() > this.drainAt) await this.drain();
      this.backoffMs = 0;
    } catch (error) {
      this.backoffMs = Math.min(Math.max(2 * this.backoffMs, FIRST_BACKOFF_MS), LAST_BACKOFF_MS);
      this.logger.warn({ msg: 'the pool could not be filled', retry_ms: this.backoffMs, err: error });
    }
  }

  private keep(waiting: readonly Waiting[], until: number): Promise<void> {
    return this.store.keepPooled(
      waiting.map(({ sandbox }) => sandbox.id),
      until,
    );
  }

  private async fill(): Promise<void> {
    const seen = new Set<string>();
    for await (const sandbox of this.runtime.fillPool(this.size)) {
      if (this.stopped) return;
      seen.add(sandbox.id);
      if (this.waiting.get(sandbox.id)?.channel.open) continue;
      const channel = await openAgentChannel(this.runtime, sandbox.id);
      if (this.stopped) return channel.close();
      this.waiting.set(sandbox.id, { sandbox, channel });
    }
    for (const [id, { channel }] of this.waiting) {
      if (seen.has(id)) continue;
      this.waiting.delete(id);
      channel.close();
    }
  }

  /** Removes what waits in slots that nobody fills: of other settings, or of a larger pool. */
  private async drain(): Promise<void> {
    this.drainAt = performance.now() + DRAIN_MS;
    const others = (await this.runtime.list()).filter(({ slot }) => slot !== null && !(slot.current && slot.number < this.size));
    if (others.length === 0) return;
    const kept = await this.store.known(
      others.map(({ id }) => id),
      this.store.now(),
    );
    for (const sandbox of others) if (!kept.has(sandbox.id)) await this.runtime.discard(sandbox);
  }

  private failed(error: unknown): 'empty' {
    this.logger.warn({ msg: 'no claim could be made', err: error });
    return 'empty';
  }
}

/** It lapses by itself. */
function ignored(): void {}
