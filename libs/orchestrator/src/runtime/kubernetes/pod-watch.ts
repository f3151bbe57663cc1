import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { ApiServer } from './api-server';
import { statusOf } from './kubernetes-errors';
import { idOf, type Pod, type WatchEvent } from './objects';

/** Pauses after a watch has failed. They double from the first value up to the last. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

/** How many of the pods that have gone are remembered, so that no late answer brings one back. */
const MAX_GONE = 1_000;

interface Waiter {
  readonly name: string;
  readonly look: (pod: Pod | null) => void;
}

/**
 * Knows the pods that a label selector finds, by one list and one watch. It goes on when the API
 * server closes the watch, forgets the version that it has reached (410), or is away. Meanwhile it
 * knows what it knew before.
 *
 * It begins with the first question, and does not keep this process alive.
 */
export class PodWatch {
  /** For an operator's figures. */
  readonly state = { isConnected: false, lost: 0 };
  private readonly logger = new Logger(PodWatch.name);
  private readonly pods = new Map<string, Pod>();
  private readonly names = new Map<string, string>();
  /** Ids of pods that are gone. */
  private readonly gone = new Set<string>();
  private readonly waiters = new Set<Waiter>();
  private readonly stopping = new AbortController();
  private begun = false;
  private isSynced = false;

  constructor(
    private readonly server: ApiServer,
    private readonly path: string,
    private readonly labelSelector: string,
  ) {}

  /** Ends the watch for good. */
  stop(): void {
    this.stopping.abort();
  }

  /**
   * Takes note of a pod that the API server has just answered with. The watch tells of it later.
   */
  note(pod: Pod): void {
    const { name, resourceVersion } = pod.metadata;
    const known = this.pods.get(name);
    if (this.gone.has(idOf(pod)) || (known !== undefined && isOlder(resourceVersion, known.metadata.resourceVersion))) return;
    if (known !== undefined && idOf(known) !== idOf(pod)) this.names.delete(idOf(known));
    const kept = essentialsOf(pod);
    this.pods.set(name, kept);
    this.names.set(idOf(pod), name);
    this.tell(name, kept);
  }

  /** @returns the pods that it has seen, and not seen go; none before it has begun */
  known(): Pod[] {
    return [...this.pods.values()];
  }

  /** @returns the name of the pod with this id; null if the watch has not seen it */
  nameOf(id: string): string | null {
    return this.names.get(id) ?? null;
  }

  /**
   * Waits for a pod to come into some state. The caller has noted the pod, or knows that the watch
   * has.
   * @param look returns null as long as the wait goes on; a pod that is null is not there
   * @throws what `look` throws, and the signal's reason once the signal aborts
   */
  until<T>(name: string, look: (pod: Pod | null) => T | null, signal: AbortSignal): Promise<T> {
    this.begin();
    return new Promise<T>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        this.waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
        settle();
      };
      const abort = (): void => finish(() => reject(signal.reason as Error));
      const waiter: Waiter = {
        name,
        look: (pod) => {
          try {
            const found = look(pod);
            if (found !== null) finish(() => resolve(found));
          } catch (error) {
            finish(() => reject(error as Error));
          }
        },
      };
      if (signal.aborted) return reject(signal.reason as Error);
      this.waiters.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
      const known = this.pods.get(name) ?? null;
      if (known !== null || this.isSynced) waiter.look(known);
    });
  }

  private begin(): void {
    if (this.begun || this.stopping.signal.aborted) return;
    this.begun = true;
    void this.follow();
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    let version: string | null = null;
    for (let pause = FIRST_PAUSE_MS; !signal.aborted;) {
      try {
        version ??= await this.list(signal);
        const begun = performance.now();
        const events: AsyncGenerator<WatchEvent<Pod>> = await this.server.watch<Pod>(this.path, this.labelSelector, version, signal);
        this.state.isConnected = true;
        for await (const { type, object } of events) {
          version = object.metadata.resourceVersion ?? version;
          if (type === 'DELETED') this.forget(object);
          else if (type !== 'BOOKMARK') this.note(object);
          pause = FIRST_PAUSE_MS;
        }
        // A server that ends each watch at once must not be asked without a pause.
        if (performance.now() - begun > LAST_PAUSE_MS) continue;
      } catch (error) {
        if (signal.aborted) return;
        this.state.lost += 1;
        // 410: so much has happened since that only a new list can tell.
        if (statusOf(error) !== null) version = null;
        if (statusOf(error) !== 410) this.logger.warn({ msg: 'the watch of pods was lost', retry_ms: pause, error: String(error) });
      } finally {
        this.state.isConnected = false;
      }
      await sleep(pause, undefined, { ref: false, signal }).catch(() => undefined);
      pause = Math.min(2 * pause, LAST_PAUSE_MS);
    }
  }

  private async list(signal: AbortSignal): Promise<string> {
    const { items, resourceVersion } = await this.server.list<Pod>(this.path, this.labelSelector, signal);
    const there = new Set(items.map(({ metadata }) => metadata.name));
    for (const pod of [...this.pods.values()])
      // One that was noted since the list was made is not in it.
      if (!there.has(pod.metadata.name) && !isOlder(resourceVersion, pod.metadata.resourceVersion)) this.forget(pod);
    for (const pod of items) this.note(pod);
    this.isSynced = true;
    for (const { name, look } of [...this.waiters]) if (!this.pods.has(name)) look(null);
    return resourceVersion;
  }

  private forget(pod: Pod): void {
    const { name } = pod.metadata;
    this.names.delete(idOf(pod));
    this.gone.add(idOf(pod));
    for (const oldest of this.gone) {
      if (this.gone.size <= MAX_GONE) break;
      this.gone.delete(oldest);
    }
    // A newer pod may have the name by now.
    const known = this.pods.get(name);
    if (known !== undefined && idOf(known) !== idOf(pod)) return;
    this.pods.delete(name);
    this.tell(name, null);
  }

  private tell(name: string, pod: Pod | null): void {
    for (const waiter of [...this.waiters]) if (waiter.name === name) waiter.look(pod);
  }
}

/**
 * Leaves out the large parts that nobody reads: who manages which field, and what containers run.
 * Each API process keeps all pods of the deployment.
 */
function essentialsOf({ metadata, spec, status }: Pod): Pod {
  const { managedFields: _, ...kept } = metadata as Pod['metadata'] & { readonly managedFields?: unknown };
  const { initContainers: _init, ...rest } = spec as Pod['spec'] & { readonly initContainers?: unknown };
  return { metadata: kept, spec: { ...rest, containers: spec.containers.map(({ image }) => ({ image })) }, status };
}

/**
 * Whether a version is earlier than another one. Versions have no order by their definition, but
 * those of every API server are numbers that grow.
 */
function isOlder(one = '', than = ''): boolean {
  return /^\d+$/.test(one) && /^\d+$/.test(than) && BigInt(one) < BigInt(than);
}
