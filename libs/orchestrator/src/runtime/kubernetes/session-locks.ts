import type { Config } from '@sandbox/config';
import {
  formatNetwork,
  formatOptions,
  formatSettings,
  parseNetwork,
  parseOptions,
  type SandboxOptions,
  type SessionNetworkRules,
  type SessionSettings,
} from '@sandbox/sessions';
import { repeatUntilDone } from '../repeat-until-done';
import type { SandboxOwner } from '../sandbox-runtime';
import type { ApiServer } from './api-server';
import { notOurs, nullIf } from './kubernetes-errors';
import { ANNOTATION, deploymentLabels, isOfSession, isOurs, KIND, ownerMarks, selector, sessionName } from './names';
import type { Lease, OwnerReference } from './objects';

const BEGUN = { [ANNOTATION.begun]: 'true' };

/**
 * The locks of sessions: one Lease for each, with the session's name. The API server lets one
 * caller make it. So a session has one pod, whether that is made for it or claimed from the pool.
 * Its holder is the name of that pod.
 *
 * All that a session has in the cluster goes with its lock, by ownerReferences, but for a
 * persistent volume. So nothing that is half made stays.
 */
export class SessionLocks {
  private readonly path: string;

  constructor(
    private readonly server: ApiServer,
    private readonly config: Config,
  ) {
    this.path = `/apis/coordination.k8s.io/v1/namespaces/${server.access.namespace}/leases`;
  }

  /** @throws SandboxError INTERNAL_ERROR if an object that is not ours has the name */
  async find(key: string, signal: AbortSignal): Promise<Lease | null> {
    const lock = await this.read(sessionName(this.config, key), signal);
    if (lock !== null && !(isOurs(this.config, lock, KIND.lock) && isOfSession(lock, key))) throw notOurs('lock');
    return lock;
  }

  /**
   * @param holder name of a pod that is there already
   * @returns null if another caller has made the lock
   */
  createFor(owner: SandboxOwner, holder: string, signal: AbortSignal): Promise<Lease | null> {
    return this.create(owner, holder, { ...recordOf({}, {}), ...BEGUN }, signal);
  }

  /**
   * @param holder name of a pod that is still to be made
   * @returns null if another caller has made the lock
   */
  createBefore(
    owner: SandboxOwner,
    holder: string,
    options: SandboxOptions,
    settings: SessionSettings,
    signal: AbortSignal,
  ): Promise<Lease | null> {
    return this.create(owner, holder, recordOf(options, settings), signal);
  }

  private create(owner: SandboxOwner, holder: string, record: object, signal: AbortSignal): Promise<Lease | null> {
    const { labels, annotations } = ownerMarks(owner);
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: sessionName(this.config, owner.key),
        labels: { ...deploymentLabels(this.config, KIND.lock), ...labels },
        annotations: { ...annotations, ...record },
      },
      spec: { holderIdentity: holder },
    };
    return nullIf([409], this.server.call<Lease>({ method: 'POST', path: this.path, body, signal }));
  }

  /**
   * Notes a pod that is still to be made as the holder, and what it is made with.
   * @returns null if another caller has changed or removed the lock meanwhile
   */
  async assign(
    lock: Lease,
    holder: string,
    options: SandboxOptions,
    settings: SessionSettings,
    signal: AbortSignal,
  ): Promise<Lease | null> {
    const annotations = recordOf(options, settings);
    const isSame = Object.entries(annotations).every(([name, value]) => (lock.metadata.annotations?.[name] ?? '') === value);
    if (holderOf(lock) === holder && isSame) return lock;
    return this.patch(
      lock,
      { metadata: { annotations: { ...annotations, [ANNOTATION.begun]: null } }, spec: { holderIdentity: holder } },
      signal,
    );
  }

  /**
   * Notes that the holder is there now.
   * @returns false if this very lock has not this holder any more, or its session is being removed
   */
  confirm(lock: Lease, holder: string, signal: AbortSignal): Promise<boolean> {
    return repeatUntilDone(signal, async () => {
      const now = await this.readHeld(lock, holder, signal);
      if (now === null || hasBegun(now)) return now !== null;
      return (await this.patch(now, { metadata: { annotations: BEGUN } }, signal)) && true;
    });
  }

  /**
   * Marks a lock whose session is being removed. From then on nobody makes a pod for it, and each
   * caller who finds it goes on with the removal.
   */
  async markClosing(lock: Lease, signal: AbortSignal): Promise<Lease | null> {
    return isClosing(lock) ? lock : this.patch(lock, { metadata: { annotations: { [ANNOTATION.closing]: 'true' } } }, signal);
  }

  /** Notes the rules of a session's network. They stay when its pod is replaced. */
  async rememberNetwork(key: string, rules: SessionNetworkRules, signal: AbortSignal): Promise<void> {
    const path = this.at(sessionName(this.config, key));
    const body = { metadata: { annotations: { [ANNOTATION.network]: formatNetwork(rules) } } };
    await this.server.call({ method: 'PATCH', path, body, signal });
  }

  async remove({ metadata: { name, uid } }: Lease, signal: AbortSignal): Promise<void> {
    // If it is refused so, the lock is gone, or a newer one has its name.
    await nullIf([404, 409], this.server.call({ method: 'DELETE', path: this.at(name), body: { preconditions: { uid } }, signal }));
  }

  /** Whether this very lock is there with this holder, and its session is not being removed. */
  async isHeld(lock: Lease, holder: string, signal: AbortSignal): Promise<boolean> {
    return (await this.readHeld(lock, holder, signal)) !== null;
  }

  async list(signal: AbortSignal): Promise<Lease[]> {
    return (await this.server.list<Lease>(this.path, selector(this.config, KIND.lock), signal)).items;
  }

  private async readHeld({ metadata }: Lease, holder: string, signal: AbortSignal): Promise<Lease | null> {
    const lock = await this.read(metadata.name, signal);
    return lock !== null && lock.metadata.uid === metadata.uid && holderOf(lock) === holder && !isClosing(lock) ? lock : null;
  }

  private async patch({ metadata }: Lease, change: { metadata: object; spec?: object }, signal: AbortSignal): Promise<Lease | null> {
    const { name, uid, resourceVersion } = metadata;
    const body = { ...change, metadata: { ...change.metadata, uid, resourceVersion } };
    return nullIf([404, 409], this.server.call<Lease>({ method: 'PATCH', path: this.at(name), body, signal }));
  }

  private read(name: string, signal: AbortSignal): Promise<Lease | null> {
    return nullIf([404], this.server.call<Lease>({ method: 'GET', path: this.at(name), signal }));
  }

  private at(name: string): string {
    return `${this.path}/${name}`;
  }
}

function recordOf(options: SandboxOptions, settings: SessionSettings): Record<string, string> {
  return { [ANNOTATION.options]: formatOptions(options), [ANNOTATION.settings]: formatSettings(settings) };
}

export function holderOf({ spec }: Lease): string {
  return spec?.holderIdentity ?? '';
}

/** Whether the holder is there, or was. If not, whoever finds the lock may make it. */
export function hasBegun({ metadata }: Lease): boolean {
  return metadata.annotations?.[ANNOTATION.begun] !== undefined;
}

export function isClosing({ metadata }: Lease): boolean {
  return metadata.annotations?.[ANNOTATION.closing] !== undefined;
}

export function optionsOf({ metadata }: Lease): SandboxOptions {
  return parseOptions(metadata.annotations?.[ANNOTATION.options] ?? '');
}

/** The rules that were noted for the session's network; null: none were. */
export function networkOf({ metadata }: Lease): SessionNetworkRules | null {
  const noted = metadata.annotations?.[ANNOTATION.network];
  return noted === undefined ? null : (parseNetwork(noted) ?? { allow: [] });
}

export function ownerReference({ metadata }: Lease): OwnerReference {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', name: metadata.name, uid: metadata.uid ?? '' };
}
