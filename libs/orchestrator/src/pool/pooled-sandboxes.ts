import { openAgentChannel, type Connection } from '../runtime/start-agent';
import type { Sandbox, SandboxRuntime } from '../runtime/sandbox-runtime';

/** How long an agent may take to answer whether its sandbox is free. A slower one is not taken. */
const CLAIM_MS = 2_000;

/** A sandbox of the pool and the open channel into it. */
export type PooledSandbox = Pick<Connection, 'sandbox' | 'channel'>;

/**
 * The sandboxes of the pool that this process knows. Some wait with an open channel. Of the others,
 * this process has begun a claim.
 */
export class PooledSandboxes {
  /** The waiting ones, by the sandbox's id. */
  readonly waiting = new Map<string, Connection>();
  /**
   * When a claim of a sandbox began, by its id. If the sandbox still waits long after, the process
   * that claimed it has died.
   */
  readonly claimAttempts = new Map<string, number>();

  constructor(private readonly runtime: SandboxRuntime) {}

  /** How many wait with an open channel. */
  get size(): number {
    return [...this.waiting.values()].filter(({ channel }) => channel.open).length;
  }

  /**
   * Takes the sandbox off the waiting ones before it is claimed. So a refill that is under way does
   * not take it for one that waits.
   */
  beginClaim({ sandbox }: Pick<Connection, 'sandbox'>): void {
    this.waiting.delete(sandbox.id);
    this.claimAttempts.set(sandbox.id, performance.now());
  }

  /** Removes a sandbox of the pool unless another process has it, or is about to. */
  async discardIfFree(pooled: PooledSandbox): Promise<void> {
    this.beginClaim(pooled);
    const isOurs = await claimInAgent(pooled);
    pooled.channel.close();
    if (isOurs) await this.runtime.discardSandbox(pooled.sandbox);
  }

  /**
   * Removes what waits, and what the last refill made or had not seen yet. A sandbox that cannot be
   * removed keeps no other from it. Another process that stops at the same time may be removing it.
   * @throws the first failure, after all have been tried
   */
  async discardAll(): Promise<void> {
    const waiting = [...this.waiting.values()].map((pooled) => this.discardIfFree(pooled));
    await Promise.allSettled(waiting);
    const left = (await this.runtime.listSandboxes()).filter(({ id, slot }) => slot?.current && !this.claimAttempts.has(id));
    const unconnected = left.map((sandbox) => this.discardUnconnected(sandbox));
    await Promise.allSettled(unconnected);
    await Promise.all([...waiting, ...unconnected]);
  }

  private async discardUnconnected(sandbox: Sandbox): Promise<void> {
    await this.discardIfFree({ sandbox, channel: await openAgentChannel(this.runtime, sandbox.id) });
  }
}

/**
 * Asks the agent of a pooled sandbox for it. The agent says yes to one process alone.
 *
 * The engine's rename is no lock: of several renames at once some may succeed, and two sessions
 * would have one sandbox. A command that runs there later may take the agent's mark away. By then
 * no rename finds the sandbox any more.
 */
export async function claimInAgent({ channel }: Pick<Connection, 'channel'>): Promise<boolean> {
  if (!channel.open) return false;
  try {
    const { first } = await channel.sendRequest({ op: 'mark_claimed' }, { deadlineMs: CLAIM_MS });
    return first === true;
  } catch {
    return false;
  }
}
