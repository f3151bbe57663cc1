import type { Config } from '@sandbox/config';
import type { SandboxOwner } from '../sandbox-runtime';
import type { ApiServer } from './api-server';
import { repeatUntilDone } from '../repeat-until-done';
import { notOurs, nullIf } from './kubernetes-errors';
import { ANNOTATION, deploymentLabels, isOfSession, isOurs, KIND, ownerMarks, volumeName } from './names';
import type { KubernetesObject, ObjectMeta, OwnerReference } from './objects';

/**
 * The claims of workspaces that are on a disk: PersistentVolumeClaims of two kinds.
 *
 * A persistent volume is a session's. It has no owner in the cluster, so it stays until the session
 * is deleted. Another disk is a pod's, and has the pod's name. No name is used twice. So no pod
 * gets the files of an earlier one. The disk belongs to the session's lock, and goes with that at
 * the latest.
 */
export class WorkspaceClaims {
  private readonly path: string;

  constructor(
    private readonly server: ApiServer,
    private readonly config: Config,
  ) {
    this.path = `/api/v1/namespaces/${server.access.namespace}/persistentvolumeclaims`;
  }

  /**
   * Finds the session's persistent volume.
   * @throws SandboxError INTERNAL_ERROR if a claim that is not ours has the name
   */
  async find(key: string, signal: AbortSignal): Promise<KubernetesObject | null> {
    const claim = await this.read(volumeName(this.config, key), signal);
    if (claim !== null && !(isOurs(this.config, claim, KIND.volume) && isOfSession(claim, key))) throw notOurs('volume');
    return claim;
  }

  /**
   * Makes the session's persistent volume, unless it has one.
   * @returns its name
   */
  ensureVolume(owner: SandboxOwner, bytes: number, signal: AbortSignal): Promise<string> {
    return this.ensure(KIND.volume, owner, bytes, { name: volumeName(this.config, owner.key) }, signal);
  }

  /**
   * Makes the disk of a pod, unless another caller has made it.
   * @param lock the object that the disk goes with
   * @returns its name
   */
  ensureDisk(owner: SandboxOwner, pod: string, lock: OwnerReference, bytes: number, signal: AbortSignal): Promise<string> {
    return this.ensure(KIND.disk, owner, bytes, { name: pod, ownerReferences: [lock] }, signal);
  }

  /** Removes the session's volume, if it has one. Resolves when it is gone. No pod uses it. */
  async removeVolume(key: string, signal: AbortSignal): Promise<void> {
    const claim = await this.find(key, signal);
    if (claim === null) return;
    await this.delete(claim, signal);
    // The cluster keeps it until it has seen that no pod uses it.
    await repeatUntilDone(signal, async () => {
      const now = await this.find(key, signal);
      return now === null || now.metadata.uid !== claim.metadata.uid ? true : null;
    });
  }

  /**
   * Removes the disk of a pod, if it has one. From then on no pod starts with it, and nobody can
   * take that back. The cluster forgets the disk once it has seen that the pod is gone. The caller
   * need not wait for that, because no other disk gets the name.
   * @returns whether there was one
   */
  async removeDisk(pod: string, signal: AbortSignal): Promise<boolean> {
    const claim = await this.read(pod, signal);
    if (claim === null || claim.metadata.deletionTimestamp !== undefined || !isOurs(this.config, claim, KIND.disk)) return false;
    return this.delete(claim, signal);
  }

  private async ensure(
    kind: string,
    owner: SandboxOwner,
    bytes: number,
    own: Pick<ObjectMeta, 'name' | 'ownerReferences'>,
    signal: AbortSignal,
  ): Promise<string> {
    const { labels, annotations } = ownerMarks(owner);
    const className = this.config.KUBERNETES_STORAGE_CLASS;
    const body = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        ...own,
        labels: { ...deploymentLabels(this.config, kind), ...labels },
        annotations: { ...annotations, [ANNOTATION.disk]: String(bytes) },
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: String(bytes) } },
        // Without the member, the cluster's default class is taken.
        ...(className === '' ? {} : { storageClassName: className }),
      },
    };
    await nullIf([409], this.server.call({ method: 'POST', path: this.path, body, signal }));
    return own.name;
  }

  private read(name: string, signal: AbortSignal): Promise<KubernetesObject | null> {
    return nullIf([404], this.server.call<KubernetesObject>({ method: 'GET', path: `${this.path}/${name}`, signal }));
  }

  /** @returns false if it is gone, or a newer one has its name */
  private async delete({ metadata: { name, uid } }: KubernetesObject, signal: AbortSignal): Promise<boolean> {
    const body = { preconditions: { uid } };
    return (await nullIf([404, 409], this.server.call({ method: 'DELETE', path: `${this.path}/${name}`, body, signal }))) !== null;
  }
}

/** Returns the limit that a claim was made with, in bytes; null if it does not say. */
export function limitOf({ metadata }: KubernetesObject): number | null {
  const bytes = Number(metadata.annotations?.[ANNOTATION.disk]);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}
