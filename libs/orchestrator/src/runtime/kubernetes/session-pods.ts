import type { SandboxOptions, SessionSettings } from '@sandbox/sessions';
import { diskLimit, isPersistent } from '../../options/disk-limit';
import { formatSize } from '../../options/session-options';
import { repeatUntilDone } from '../repeat-until-done';
import type { EnsuredSandbox, Sandbox, SandboxOwner } from '../sandbox-runtime';
import { notOurs, statusOf } from './kubernetes-errors';
import { isOfSession, isOurs, KIND, newPodName, selector, sessionSelector } from './names';
import { hasEnded, isReady, type Lease, type Pod } from './objects';
import { sessionPod } from './pod-spec';
import { PodFailedError } from './pod-failure';
import type { Pods } from './pods';
import { hasBegun, holderOf, isClosing, networkOf, optionsOf, ownerReference, type SessionLocks } from './session-locks';
import { limitOf, type WorkspaceClaims } from './workspace-claims';

/** What a caller wants of a session's sandbox. */
interface Wanted {
  readonly owner: SandboxOwner;
  /** Null: those of the sandbox that is replaced. */
  readonly options: SandboxOptions | null;
  readonly settings: SessionSettings;
}

/**
 * The pods of sessions. A session has a lock, and the pod that the lock names as its holder. If
 * another caller can have caused an outcome, a method looks again, until its signal aborts.
 */
export class SessionPods {
  constructor(
    private readonly pods: Pods,
    private readonly locks: SessionLocks,
    private readonly claims: WorkspaceClaims,
  ) {}

  async ensure(wanted: Wanted, signal: AbortSignal): Promise<EnsuredSandbox> {
    return repeatUntilDone(signal, () => this.tryEnsure(wanted, signal));
  }

  async find(key: string, signal: AbortSignal): Promise<Sandbox | null> {
    const lock = await this.locks.find(key, signal);
    const pod = lock && (await this.pods.find(holderOf(lock), signal));
    return pod !== null && this.isOf(pod, key) ? this.pods.describe(pod) : null;
  }

  async isVacant(key: string, signal: AbortSignal): Promise<boolean> {
    if ((await this.locks.find(key, signal)) !== null) return false;
    return !this.pods.config.ALLOW_PERSISTENT_SESSIONS || (await this.claims.find(key, signal)) === null;
  }

  /**
   * Removes what a session has, but for a persistent volume. Resolves when no process of it runs.
   */
  async remove(key: string, signal: AbortSignal): Promise<void> {
    await repeatUntilDone(signal, async () => {
      const lock = await this.locks.find(key, signal);
      if (lock !== null) return (await this.close(lock, key, signal)) ? true : null;
      // Its lock was removed behind our back, and the cluster has not removed the pod yet.
      const found = await this.pods.list(sessionSelector(this.pods.config, key), signal);
      await this.removePods(found, key, signal);
      return true;
    });
  }

  /**
   * Removes disks whose pod went behind the service's back, and whose session has no other pod yet.
   * @returns how many
   */
  async removeLostDisks(signal: AbortSignal): Promise<number> {
    // Locks first: a pod that is made meanwhile is in the second list.
    const locks = (await this.locks.list(signal)).filter((lock) => hasBegun(lock) && mayHaveDisk(lock));
    if (locks.length === 0) return 0;
    const pods = await this.pods.list(selector(this.pods.config, KIND.session), signal);
    const names = new Set(pods.map(({ metadata }) => metadata.name));
    let removed = 0;
    for (const lock of locks) if (!names.has(holderOf(lock)) && (await this.removeDisk(lock, signal))) removed++;
    return removed;
  }

  /**
   * Removes the pods of a session and their disk, and then its lock. Any caller may go on with what
   * another one has begun.
   * @returns false if another caller has changed the lock meanwhile
   */
  private async close(lock: Lease, key: string, signal: AbortSignal): Promise<boolean> {
    const closing = await this.locks.markClosing(lock, signal);
    if (closing === null) return false;
    const holder = await this.pods.find(holderOf(closing), signal);
    // A list would look at all pods of the namespace. What the watch knows goes too: a pod whose
    // claimant has died in the middle. If it knows less, such a pod goes with the lock.
    const known = this.pods.watch.known().filter(({ metadata }) => metadata.name !== holder?.metadata.name);
    await this.removePods([...(holder === null ? [] : [holder]), ...known], key, signal);
    await this.removeDisk(closing, signal);
    await this.locks.remove(closing, signal);
    return true;
  }

  private async removePods(found: readonly Pod[], key: string, signal: AbortSignal): Promise<void> {
    await Promise.all(found.filter((pod) => this.isOf(pod, key)).map((pod) => this.pods.remove(pod, signal)));
  }

  /**
   * Removes the disk of a lock's holder. A holder that has begun, and is gone, never comes back.
   * @returns whether there was one
   */
  private async removeDisk(lock: Lease, signal: AbortSignal): Promise<boolean> {
    return mayHaveDisk(lock) && this.claims.removeDisk(holderOf(lock), signal);
  }

  /** Looks once and takes one step towards a running pod. Null means: look again. */
  private async tryEnsure(wanted: Wanted, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const { key } = wanted.owner;
    const lock = await this.locks.find(key, signal);
    if (lock === null) return this.begin(wanted, signal);
    if (isClosing(lock)) {
      await this.close(lock, key, signal);
      return null;
    }
    const pod = await this.pods.find(holderOf(lock), signal);
    if (pod === null) return this.make(wanted, lock, optionsOf(lock), signal);
    if (!this.isOf(pod, key)) {
      // It is one of the pool, whose claimant has died or is about to say that it is the session's.
      if (isOurs(this.pods.config, pod, KIND.session)) return this.make(wanted, lock, optionsOf(lock), signal);
      throw notOurs('pod');
    }
    const { options } = this.pods.describe(pod);
    const isCurrent = this.pods.isCurrent(pod, options);
    // A lock that has not begun does not know yet that its holder was used.
    if (isCurrent && isReady(pod) && hasBegun(lock)) return { ...this.described(pod, lock), created: false };
    if (isCurrent && !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined) {
      // Its maker waits for it too, or has died.
      return this.whenReady(pod, lock, false, signal);
    }
    await this.pods.remove(pod, signal);
    return this.make(wanted, lock, options, signal);
  }

  private async begin(wanted: Wanted, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const { owner, options, settings } = wanted;
    const name = newPodName(this.pods.config, owner.key);
    const lock = await this.locks.createBefore(owner, name, options ?? {}, settings, signal);
    if (lock === null) return null;
    try {
      return await this.make(wanted, lock, {}, signal);
    } catch (error) {
      // The cluster takes no such pod, as with a quota that is used up.
      const status = statusOf(error);
      if (!signal.aborted && status !== null && status < 500) await this.locks.remove(lock, signal);
      throw error;
    }
  }

  /**
   * Makes the pod that the lock names, or one with a new name if that pod has been there. The lock
   * names it first. So of several callers, one makes it.
   * @param found the options of the pod that it replaces
   */
  private async make(
    { owner, options, settings }: Wanted,
    lock: Lease,
    found: SandboxOptions,
    signal: AbortSignal,
  ): Promise<EnsuredSandbox | null> {
    const { config } = this.pods;
    const settled = await this.settle(owner, options ?? found, signal);
    const name = hasBegun(lock) ? newPodName(config, owner.key) : holderOf(lock);
    // Before the lock names another pod, since nobody would find the old disk afterwards.
    if (hasBegun(lock)) await this.removeDisk(lock, signal);
    const assigned = await this.locks.assign(lock, name, settled, settings, signal);
    if (assigned === null) return null;
    const claim = await this.claimFor(owner, settled, assigned, signal);
    const parts = { name, owner: ownerReference(assigned), claim, options: settled, settings };
    const pod = await this.pods.create(sessionPod(config, owner, parts), signal);
    return pod && this.whenReady(pod, assigned, true, signal);
  }

  /** Makes the claim of a workspace on a disk. @returns null if the workspace is in memory */
  private async claimFor(owner: SandboxOwner, options: SandboxOptions, lock: Lease, signal: AbortSignal): Promise<string | null> {
    const limit = diskLimit(this.pods.config, options);
    if (limit === null) return null;
    if (isPersistent(this.pods.config, options)) return this.claims.ensureVolume(owner, limit, signal);
    return this.claims.ensureDisk(owner, holderOf(lock), ownerReference(lock), limit, signal);
  }

  /** Waits for a pod, and then looks whether the session still has its lock. */
  private async whenReady(pod: Pod, lock: Lease, created: boolean, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    let ready: Pod | null;
    try {
      ready = await this.pods.untilReady(pod, signal);
    } catch (error) {
      // A pod that only takes long stays for the next call. One that fails must not.
      if (!signal.aborted && error instanceof PodFailedError) await this.abandon(pod, lock, signal);
      throw error;
    }
    if (ready === null) return null;
    if (await this.locks.confirm(lock, pod.metadata.name, signal)) return { ...this.described(ready, lock), created };
    await this.pods.remove(ready, signal);
    await this.removeDisk(lock, signal);
    return null;
  }

  /** A disk goes with the lock. */
  private async abandon(pod: Pod, lock: Lease, signal: AbortSignal): Promise<void> {
    await this.pods.remove(pod, signal);
    await this.locks.remove(lock, signal);
  }

  /**
   * Completes the options of a new pod. If the session has a volume, it gets the volume again,
   * whether or not the caller asks for it: a volume stays until its session is deleted. It has the
   * limit that it was made with.
   */
  private async settle({ key }: SandboxOwner, options: SandboxOptions, signal: AbortSignal): Promise<SandboxOptions> {
    const { config } = this.pods;
    const mayHave = options.persistent ?? (config.WORKSPACE_PERSIST_VOLUMES || config.ALLOW_PERSISTENT_SESSIONS);
    const volume = mayHave ? await this.claims.find(key, signal) : null;
    const kept = volume === null || isPersistent(config, options) ? options : { ...options, persistent: true };
    const limit = (volume && limitOf(volume)) ?? diskLimit(config, kept);
    return limit === null ? kept : { ...kept, disk: formatSize(limit) };
  }

  private described(pod: Pod, lock: Lease): Sandbox {
    const sandbox = this.pods.describe(pod);
    const network = networkOf(lock);
    return network === null ? sandbox : { ...sandbox, settings: { ...sandbox.settings, network } };
  }

  private isOf(pod: Pod, key: string): boolean {
    return isOurs(this.pods.config, pod, KIND.session) && isOfSession(pod, key);
  }
}

/**
 * Whether the holder's workspace may be on a disk that is not persistent. A persistent one has a
 * limit among its options, too.
 */
function mayHaveDisk(lock: Lease): boolean {
  return optionsOf(lock).disk !== undefined;
}
