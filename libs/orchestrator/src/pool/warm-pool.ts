import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { connectTo, type Connection, openAgentChannel } from '../runtime/agent-channel';
import { SANDBOX_RUNTIME, type Sandbox, type SandboxOwner, type SandboxRuntime } from '../runtime/sandbox-runtime';

export interface PoolState {
  /** Sandboxes that wait with an open channel. */
  readonly size: number;
  /** New sessions of this process, since its start, that took one; and those that could have and found none. */
  readonly hits: number;
  readonly misses: number;
}

/** An agent that does not answer by then has one that is claimed no more, milliseconds. */
const CLAIM_MS = 2_000;
/** What was spent so long ago and still waits is nobody's: longer than a claim may take, milliseconds. */
const SPENT_MS = 15_000;
/** How often the pool is looked through, so that what died or was claimed by another process is replaced. Milliseconds. */
const LOOK_MS = 5_000;
/** How often those are looked for that nobody keeps any more, milliseconds. */
const DRAIN_MS = 60_000;
/** For how long a look keeps what waits from being taken for a leftover, milliseconds. */
const KEEP_MS = 60_000;
/** After a failure, the next look comes so much later, milliseconds; doubled each time, up to the last. */
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 60_000;

/**
 * Sandboxes of the deployment's own settings that wait for a session, shared by all replicas. Each process keeps a channel into every
 * one, so a claim costs one call on it and one engine call, and the first command no more than any.
 *
 * A process that is killed leaves them to the others, one that stops takes them with it; a process of other settings fills slots of its
 * own, and removes what nobody keeps.
 */
@Injectable()
export class WarmPool implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WarmPool.name);
  private readonly size: number;
  /** By the sandbox's id. */
  private readonly waiting = new Map<string, Connection>();
  /** Those that a claim was begun of, by id, with when. What is still there long after has been left by a process that died. */
  private readonly spent = new Map<string, number>();
  /** Sessions that had a sandbox at the last look at all. */
  private occupied: ReadonlySet<string | null> = new Set();
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
    const open = [...this.waiting.values()].filter(({ channel }) => channel.open);
    return { size: open.length, hits: this.hits, misses: this.misses };
  }

  onApplicationBootstrap(): void {
    this.lookAfter(0);
  }

  /** A waiting sandbox, now this session's; null where none is to be had, or the session has one already. */
  async claim(owner: SandboxOwner): Promise<Connection | null> {
    if (this.size === 0) return null;
    if (!(await this.isVacant(owner.key))) return null;
    for (const waiting of this.waiting.values()) {
      this.withdraw(waiting);
      const claimed = (await isFirst(waiting)) ? await this.take(owner, waiting) : 'lost';
      this.wanted = true;
      this.lookAfter(0);
      if (claimed !== 'lost') return claimed;
      waiting.channel.close();
    }
    this.misses += 1;
    return null;
  }

  /**
   * Asked only of a session that the store may have forgotten, or that may have a volume. Where it has a sandbox all the same, its name is
   * taken, and what was claimed is spent for nothing.
   */
  private async isVacant(key: string): Promise<boolean> {
    if (!this.config.ALLOW_PERSISTENT_SESSIONS && !this.occupied.has(key)) return true;
    // Where the engine is away, whoever makes a sandbox instead is told.
    return this.runtime.isVacant(key).catch(() => false);
  }

  private async take(owner: SandboxOwner, waiting: Connection): Promise<Connection | null> {
    try {
      const sandbox = await this.runtime.claim(owner, waiting.sandbox);
      if (sandbox?.id === waiting.sandbox.id && waiting.channel.open) {
        this.hits += 1;
        return { ...waiting, sandbox };
      }
    } catch (error) {
      this.logger.warn({ msg: 'no claim could be made', err: error });
    }
    waiting.channel.close();
    return null;
  }

  /** Before it is claimed: no look that is under way meanwhile takes it for one that waits. */
  private withdraw({ sandbox }: Pick<Connection, 'sandbox'>): void {
    this.waiting.delete(sandbox.id);
    this.spent.set(sandbox.id, performance.now());
  }

  /** Takes what waits with it: it may be the last process there is, and nothing is to be left running for nobody. Others fill the pool again. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.size === 0) return;
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
    try {
      await Promise.all([...this.waiting.values()].map((waiting) => this.giveUp(waiting)));
      // And what the last look had made, or was about to know, when it was told to stop.
      const left = (await this.runtime.list()).filter(({ id, slot }) => slot?.current && !this.spent.has(id));
      await Promise.all(left.map(async (sandbox) => this.giveUp({ sandbox, channel: await openAgentChannel(this.runtime, sandbox.id) })));
    } catch (error) {
      this.logger.warn({ msg: 'the pool was not removed', err: error });
    }
  }

  /** Removes it, unless another process has it, or is about to. */
  private async giveUp(waiting: Omit<Connection, 'start'>): Promise<void> {
    this.withdraw(waiting);
    const isOurs = await isFirst(waiting);
    waiting.channel.close();
    if (isOurs) await this.runtime.discard(waiting.sandbox);
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
      // First: before anything waits, it is known which sessions have a sandbox already.
      if (performance.now() > this.drainAt) await this.drain();
      await this.fill();
      await this.trim();
      await this.store.keepPooled([...this.waiting.keys()], this.store.now() + KEEP_MS);
      this.backoffMs = 0;
    } catch (error) {
      this.backoffMs = Math.min(Math.max(2 * this.backoffMs, FIRST_BACKOFF_MS), LAST_BACKOFF_MS);
      this.logger.warn({ msg: 'the pool could not be filled', retry_ms: this.backoffMs, err: error });
    }
  }

  private async fill(): Promise<void> {
    const seen = new Set<string>();
    for await (const sandbox of this.runtime.fillPool(this.size)) {
      if (this.stopped) return;
      seen.add(sandbox.id);
      const spentAt = this.spent.get(sandbox.id);
      if (spentAt !== undefined) {
        if (performance.now() - spentAt > SPENT_MS) this.wanted = (await this.runtime.discard(sandbox)) || this.wanted;
      } else if (!this.waiting.get(sandbox.id)?.channel.open) {
        await this.add(sandbox);
      }
    }
    for (const id of this.spent.keys()) if (!seen.has(id)) this.spent.delete(id);
    for (const [id, { channel }] of this.waiting) {
      if (seen.has(id)) continue;
      this.waiting.delete(id);
      channel.close();
    }
  }

  private async add(sandbox: Sandbox): Promise<void> {
    const connection = await connectTo(this.runtime, sandbox);
    if (this.stopped) connection.channel.close();
    else this.waiting.set(sandbox.id, connection);
  }

  /** Two processes that begin to fill a slot at once may both come to make one: all agree on which of the two is too much. */
  private async trim(): Promise<void> {
    const slots = new Set<number>();
    const inOrder = [...this.waiting.values()].sort((a, b) => (a.sandbox.id < b.sandbox.id ? -1 : 1));
    for (const each of inOrder) {
      const { id, slot } = each.sandbox;
      if (slot === null || !this.waiting.has(id)) continue;
      if (!slots.has(slot.number)) {
        slots.add(slot.number);
        continue;
      }
      await this.giveUp(each);
    }
  }

  /** Looks at all there is, and removes what waits in slots that nobody fills: of other settings, or of a larger pool. */
  private async drain(): Promise<void> {
    this.drainAt = performance.now() + DRAIN_MS;
    const all = await this.runtime.list();
    this.occupied = new Set(all.map(({ key }) => key));
    const others = all.filter(({ slot }) => slot !== null && !(slot.current && slot.number < this.size));
    if (others.length === 0) return;
    const kept = await this.store.known(
      others.map(({ id }) => id),
      this.store.now(),
    );
    for (const sandbox of others) if (!kept.has(sandbox.id)) await this.runtime.discard(sandbox);
  }
}

/**
 * Whether no other process has this sandbox, or is about to: the agent of one alone is told so. Of renames that come at once the engine
 * may do several, and two sessions would have one sandbox. Whose command runs there later may take that mark away; by then no rename
 * finds the sandbox any more.
 */
async function isFirst({ channel }: Pick<Connection, 'channel'>): Promise<boolean> {
  if (!channel.open) return false;
  try {
    const { claimed } = await channel.call({ op: 'claim' }, { deadlineMs: CLAIM_MS });
    return claimed === true;
  } catch {
    return false;
  }
}
