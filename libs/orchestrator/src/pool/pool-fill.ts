import { connectTo } from '../runtime/start-agent';
import type { Sandbox, SandboxRuntime } from '../runtime/sandbox-runtime';
import type { PooledSandboxes } from './pooled-sandboxes';

/**
 * How long after the begin of a claim a sandbox that still waits is taken for abandoned. No claim
 * takes that long.
 */
const ABANDONED_MS = 15_000;

/** Keeps the pool's slots filled, together with the other processes that fill them. */
export class PoolFill {
  private stopped = false;

  /** @param size how many sandboxes are to wait */
  constructor(
    private readonly runtime: SandboxRuntime,
    private readonly pooled: PooledSandboxes,
    private readonly size: number,
  ) {}

  /** Makes no more sandboxes from now on. */
  stopFilling(): void {
    this.stopped = true;
  }

  /**
   * Makes what is missing, opens a channel into each sandbox that waits, and drops what is gone.
   * @returns whether a slot has become vacant meanwhile
   */
  async fillSlots(): Promise<boolean> {
    const seen = new Set<string>();
    let vacated = false;
    for await (const sandbox of this.runtime.fillPool(this.size)) {
      if (this.stopped) return false;
      seen.add(sandbox.id);
      const claimedAt = this.pooled.claimAttempts.get(sandbox.id);
      if (claimedAt !== undefined) {
        if (performance.now() - claimedAt > ABANDONED_MS) vacated = (await this.runtime.discardSandbox(sandbox)) || vacated;
      } else if (!this.pooled.waiting.get(sandbox.id)?.channel.open) {
        await this.connectWaiting(sandbox);
      }
    }
    this.forgetAllBut(seen);
    await this.trimSlots();
    return vacated;
  }

  private async connectWaiting(sandbox: Sandbox): Promise<void> {
    const connection = await connectTo(this.runtime, sandbox);
    if (this.stopped) connection.channel.close();
    else this.pooled.waiting.set(sandbox.id, connection);
  }

  private forgetAllBut(seen: ReadonlySet<string>): void {
    const { claimAttempts, waiting } = this.pooled;
    for (const id of claimAttempts.keys()) if (!seen.has(id)) claimAttempts.delete(id);
    for (const [id, { channel }] of waiting) {
      if (seen.has(id)) continue;
      waiting.delete(id);
      channel.close();
    }
  }

  /**
   * Removes the second sandbox of a slot. Two processes that begin to fill a slot at the same time
   * may both make one. They agree on which is too many by the order of the ids.
   */
  private async trimSlots(): Promise<void> {
    const slots = new Set<number>();
    const inOrder = [...this.pooled.waiting.values()].sort((a, b) => (a.sandbox.id < b.sandbox.id ? -1 : 1));
    for (const each of inOrder) {
      const { id, slot } = each.sandbox;
      if (slot === null || !this.pooled.waiting.has(id)) continue;
      if (!slots.has(slot.number)) slots.add(slot.number);
      else await this.pooled.discardIfFree(each);
    }
  }
}
