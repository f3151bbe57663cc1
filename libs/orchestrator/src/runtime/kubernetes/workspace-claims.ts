import type { Config } from '@sandbox/config';
import type { SandboxOwner } from '../sandbox-runtime';
import type { ApiServer } from './api-server';
import { repeatUntilDone } from '../repeat-until-done';
import { notOurs, nullIf } from './kubernetes-errors';
import { ANNOTATION, deploymentLabels, isOfSession, isOurs, KIND, ownerMarks, volumeName } from './names';
import type { VolumeClaim } from './objects';

/**
 * The claims of persistent volumes: one PersistentVolumeClaim for each session that has one. It has
 * no owner in the cluster, so it stays until the session is deleted.
 */
export class WorkspaceClaims {
  private readonly path: string;

  constructor(
    private readonly server: ApiServer,
    private readonly config: Config,
  ) {
    this.path = `/api/v1/namespaces/${server.access.namespace}/persistentvolumeclaims`;
  }

  /** @throws SandboxError INTERNAL_ERROR if a claim that is not ours has the name */
  async find(key: string, signal: AbortSignal): Promise<VolumeClaim | null> {
    const claim = await nullIf([404], this.server.call<VolumeClaim>({ method: 'GET', path: this.at(key), signal }));
    if (claim !== null && !(isOurs(this.config, claim, KIND.volume) && isOfSession(claim, key))) throw notOurs('volume');
    return claim;
  }

  /**
   * Makes the session's claim, unless it has one.
   * @returns its name
   */
  async ensure(owner: SandboxOwner, bytes: number, signal: AbortSignal): Promise<string> {
    const name = volumeName(this.config, owner.key);
    const { labels, annotations } = ownerMarks(owner);
    const className = this.config.KUBERNETES_STORAGE_CLASS;
    const body = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name,
        labels: { ...deploymentLabels(this.config, KIND.volume), ...labels },
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
    return name;
  }

  /** Removes the session's claim, if it has one. Resolves when it is gone. No pod uses it. */
  async remove(key: string, signal: AbortSignal): Promise<void> {
    const claim = await this.find(key, signal);
    if (claim === null) return;
    const { uid } = claim.metadata;
    await nullIf([404, 409], this.server.call({ method: 'DELETE', path: this.at(key), body: { preconditions: { uid } }, signal }));
    // The cluster keeps it until it has seen that no pod uses it.
    await repeatUntilDone(signal, async () => {
      const now = await this.find(key, signal);
      return now === null || now.metadata.uid !== uid ? true : null;
    });
  }

  private at(key: string): string {
    return `${this.path}/${volumeName(this.config, key)}`;
  }
}

/** Returns the limit that a claim was made with, in bytes; null if it does not say. */
export function limitOf({ metadata }: VolumeClaim): number | null {
  const bytes = Number(metadata.annotations?.[ANNOTATION.disk]);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}
