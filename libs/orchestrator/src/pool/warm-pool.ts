import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import type { Connection } from '../runtime/start-agent';
import { SANDBOX_RUNTIME, type SandboxOwner, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { claimPooled } from './pool-claim';
import { drainPool } from './pool-drain';
import { PoolFill } from './pool-fill';
import { PooledSandboxes } from './pooled-sandboxes';

export interface PoolState {
  /** How many sandboxes wait with an open channel. */
  readonly size: number;
  /** How many new sessions took one, since this process started. */
  readonly hits: number;
  /** How many new sessions could have taken one and found none. */
  readonly misses: number;
}

/** How often the pool is refilled. That replaces what died or was claimed by another process. */
const REFILL_MS = 5_000;
/** How often the slots are looked for that no process fills any more. */
const DRAIN_MS = 60_000;
/** How long a refill keeps what waits from being taken for a leftover. */
const KEEP_MS = 60_000;
/** How long the pool waits after a failed refill. The wait doubles up to the last value. */
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 60_000;

/**
 * Sandboxes with the deployment's own settings that wait for a session. All processes share them.
 * Each process keeps a channel into every one. So a claim costs one call on the channel and one
 * engine call, and the first command of a session costs no more than any other.
 *
 * If a process is killed, its sandboxes are the others'. A process that stops takes them with it.
 * Processes with other settings fill slots of their own, and remove slots that no process keeps.
 */
@Injectable()
export class WarmPool implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WarmPool.name);
  private readonly size: number;
  private readonly pooled: PooledSandboxes;
  private readonly filling: PoolFill;
  /** Keys of the sessions that had a sandbox when the pool was drained last. */
  private occupied: ReadonlySet<string | null> = new Set();
  private hits = 0;
  private misses = 0;
  private drainAt = 0;
  private backoffMs = 0;
  private refilling: Promise<void> | null = null;
  /** Whether a slot has become vacant since the refill under way began. */
  private refillNeeded = false;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
  ) {
    // A volume belongs to its session from the first, so a sandbox with a volume cannot wait.
    this.size = config.WORKSPACE_PERSIST_VOLUMES ? 0 : config.POOL_SIZE;
    this.pooled = new PooledSandboxes(runtime);
    this.filling = new PoolFill(runtime, this.pooled, this.size);
  }

  get state(): PoolState {
    return { size: this.pooled.size, hits: this.hits, misses: this.misses };
  }

  onApplicationBootstrap(): void {
    this.refillAfter(0);
  }

  /**
   * Gives the session a sandbox that waits.
   * @returns null if there is none, or the session has a sandbox already
   */
  async claimSandbox(owner: SandboxOwner): Promise<Connection | null> {
    if (this.size === 0 || !(await this.isVacant(owner.key))) return null;
    const claimed = await claimPooled(this.runtime, this.pooled, owner, () => {
      this.refillNeeded = true;
      this.refillAfter(0);
    });
    if (claimed === 'none') this.misses += 1;
    else if (claimed !== null) this.hits += 1;
    return claimed === 'none' ? null : claimed;
  }

  /**
   * Whether the session has no sandbox yet. The engine is asked only if the store may have
   * forgotten the session or the session may have a volume. If the answer is wrong, the session's
   * name is taken and the claim fails.
   */
  private async isVacant(key: string): Promise<boolean> {
    if (!this.config.ALLOW_PERSISTENT_SESSIONS && !this.occupied.has(key)) return true;
    // If the engine is away, the caller learns it when it has a sandbox made instead.
    return this.runtime.isVacant(key).catch(() => false);
  }

  /**
   * Removes what waits. This may be the last process, and nothing may go on running without one. If
   * it is not, the others fill the pool again.
   */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.size === 0) return;
    this.stopped = true;
    this.filling.stopFilling();
    clearTimeout(this.timer);
    await this.refilling;
    await this.pooled.discardAll().catch((error: unknown) => this.logger.warn({ msg: 'the pool was not removed', err: error }));
  }

  private refillAfter(ms: number): void {
    if (this.size === 0 || this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refill(), Math.max(ms, this.backoffMs)).unref();
  }

  private refill(): void {
    this.refilling ??= this.refillOnce().finally(() => {
      this.refilling = null;
      this.refillAfter(this.refillNeeded ? 0 : REFILL_MS);
    });
  }

  private async refillOnce(): Promise<void> {
    this.refillNeeded = false;
    try {
      // The drain comes first: before anything waits, it tells which sessions have a sandbox.
      if (performance.now() > this.drainAt) {
        this.drainAt = performance.now() + DRAIN_MS;
        this.occupied = await drainPool(this.runtime, this.store, this.size);
      }
      if (await this.filling.fillSlots()) this.refillNeeded = true;
      await this.store.keepPooled([...this.pooled.waiting.keys()], this.store.now() + KEEP_MS);
      this.backoffMs = 0;
    } catch (error) {
      this.backoffMs = Math.min(Math.max(2 * this.backoffMs, FIRST_BACKOFF_MS), LAST_BACKOFF_MS);
      this.logger.warn({ msg: 'the pool could not be filled', retry_ms: this.backoffMs, err: error });
    }
  }
}
