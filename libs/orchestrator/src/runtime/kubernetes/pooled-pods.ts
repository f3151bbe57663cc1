import type { Sandbox, SandboxOwner } from '../sandbox-runtime';
import { LABEL, KIND, ownerMarks, pooledName, selector } from './names';
import { hasEnded, idOf, isReady, type Pod } from './objects';
import { pooledPod } from './pod-spec';
import type { Pods } from './pods';
import { ownerReference, type SessionLocks } from './session-locks';

/** How often a pod that is claimed is read again because something else of it has changed. */
const CLAIM_TRIES = 5;

/**
 * The pods of the pool. Each waits with a label that names its slot. It belongs to a session once
 * that label is gone and the session's is there: one change at the version that was read, so of two
 * callers one makes it.
 */
export class PooledPods {
  constructor(
    private readonly pods: Pods,
    private readonly locks: SessionLocks,
  ) {}

  /**
   * Lists the pods that wait for a session and were made with the current settings. It removes
   * those that have ended.
   */
  async waiting(signal: AbortSignal): Promise<{ ready: Sandbox[]; slots: ReadonlySet<number | undefined> }> {
    const found = await this.inPool(signal);
    for (const pod of found.filter(hasEnded)) await this.pods.removeUnchanged(pod, signal);
    const live = found.filter((pod) => !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined);
    return {
      ready: live.filter(isReady).map((pod) => this.pods.describe(pod)),
      slots: new Set(live.map((pod) => this.pods.describe(pod).slot?.number)),
    };
  }

  /**
   * Makes a pod wait in a slot. Two processes that do so at the same time both make one. The pool
   * removes one of them later.
   * @returns null if it was removed meanwhile
   */
  async make(slot: number, signal: AbortSignal): Promise<Sandbox | null> {
    const { config, pooledSpec } = this.pods;
    const made = await this.pods.create(pooledPod(config, pooledName(config, pooledSpec, slot), slot), signal);
    if (made === null) return null;
    try {
      const ready = await this.pods.untilReady(made, signal);
      return ready && this.pods.describe(ready);
    } catch (error) {
      if (!signal.aborted) await this.pods.remove(made, signal);
      throw error;
    }
  }

  /**
   * Gives a waiting pod to a session: the session's lock first, and then the pod. If this process
   * dies between the two, the next call of the session makes a pod for it.
   */
  async claim(owner: SandboxOwner, { id, name }: Sandbox, signal: AbortSignal): Promise<Sandbox | null> {
    const lock = await this.locks.createFor(owner, name, signal);
    if (lock === null) return null;
    const { labels, annotations } = ownerMarks(owner);
    const marks = { labels: { ...labels, [LABEL.pool]: null, [LABEL.slot]: null }, annotations, ownerReferences: [ownerReference(lock)] };
    const claimed = await this.change(id, name, (pod) => this.pods.patch(pod, marks, signal), signal);
    // Before the pod was the session's, another caller may have removed the session, or made a pod.
    if (claimed !== null && (await this.locks.isHeld(lock, name, signal))) return this.pods.describe(claimed);
    if (claimed !== null) await this.pods.remove(claimed, signal);
    else await this.locks.remove(lock, signal);
    return null;
  }

  /** @returns false if a session has claimed the pod meanwhile */
  async discard({ id, name, slot }: Sandbox, signal: AbortSignal): Promise<boolean> {
    if (slot === null) {
      const pod = await this.pods.find(name, signal);
      if (pod !== null && idOf(pod) === id) await this.pods.remove(pod, signal);
      return true;
    }
    const removed = await this.change(id, name, async (pod) => ((await this.pods.removeUnchanged(pod, signal)) ? pod : null), signal);
    if (removed !== null) return true;
    const now = await this.pods.find(name, signal);
    return now === null || idOf(now) !== id;
  }

  /**
   * Changes a pod that still waits. A kubelet changes a pod's state now and then, and its version
   * with it. So a change that comes too late is tried again.
   */
  private async change(id: string, name: string, step: (pod: Pod) => Promise<Pod | null>, signal: AbortSignal): Promise<Pod | null> {
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      const pod = await this.pods.find(name, signal);
      if (pod === null || idOf(pod) !== id || this.pods.describe(pod).slot === null || hasEnded(pod)) return null;
      const changed = await step(pod);
      if (changed !== null) return changed;
    }
    return null;
  }

  private inPool(signal: AbortSignal): Promise<Pod[]> {
    const { config, pooledSpec } = this.pods;
    return this.pods.list(selector(config, KIND.session, { [LABEL.pool]: pooledSpec }), signal);
  }
}
