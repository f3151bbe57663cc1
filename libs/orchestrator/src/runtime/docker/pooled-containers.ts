import type { Sandbox, SandboxOwner } from '../sandbox-runtime';
import { containerName, discardedName, pooledName, pooledSpec, waitingName, waitingPattern } from './container-spec';
import type { Containers } from './containers';

/**
 * If a container still has its first name this long after it was made, the process that made it
 * died.
 */
const ORPHANED_MS = 10_000;

/**
 * The containers of the pool. Each waits in a numbered slot, and belongs to a session once it bears
 * that session's name.
 */
export class PooledContainers {
  constructor(private readonly containers: Containers) {}

  /**
   * Lists the running containers that wait for a session and were made with the current settings.
   * It removes those that have ended.
   */
  async waiting(signal: AbortSignal): Promise<Sandbox[]> {
    const { config, pooledSpec: spec } = this.containers;
    const found = await this.containers.listByName(waitingPattern(config, spec), signal);
    const ended = found.filter(({ state }) => state === 'exited' || state === 'dead');
    for (const { sandbox } of ended) await this.discardContainer(sandbox, signal);
    return found.filter(({ state }) => state === 'running').map(({ sandbox }) => sandbox);
  }

  /**
   * Makes a container wait in a slot.
   * @returns null if another process has filled the slot or is about to
   */
  async makeContainer(slot: number, signal: AbortSignal): Promise<Sandbox | null> {
    const { config, pooledSpec: spec } = this.containers;
    const wanted = {
      name: pooledName(config, spec, slot),
      key: null,
      specHashFor: () => spec,
      make: async () => ({ options: {}, spec: pooledSpec(config, slot) }),
    };
    // Another process may have filled this slot since the caller looked.
    if ((await this.containers.listByName(waitingPattern(config, spec, slot), signal)).length > 0) return null;
    const { id, created, createdAt } = await this.containers.ensureContainer(wanted, signal);
    // Only its maker renames it. A late rename by another process could take the container from the
    // session that has claimed it by then.
    if (!created && Date.now() - createdAt < ORPHANED_MS) return null;
    const name = waitingName(config, spec, slot, id);
    if (!(await this.containers.renameContainer(wanted.name, name, signal))) return null;
    const found = await this.containers.find(name, null, signal);
    if (found?.id === id) return found;
    // Our container had been renamed already and a newer one had its old name. We have just given
    // that newer one a name with the wrong id, so it is removed.
    if (found) await this.containers.removeContainer(found.id, signal);
    return null;
  }

  /**
   * Claims a container by renaming it: one engine call, since no other container ever has the name
   * under which this one waited. The engine looks a container up by name before it locks it, so it
   * may carry out two concurrent renames. Callers must make sure that only one of them asks (see
   * WarmPool).
   */
  async claimContainer({ key }: SandboxOwner, preferred: Sandbox, signal: AbortSignal): Promise<Sandbox | null> {
    const name = containerName(this.containers.config, key);
    return (await this.containers.renameContainer(preferred.name, name, signal)) ? { ...preferred, name, key, slot: null } : null;
  }

  /**
   * Renames the container, then removes it. A claim that comes after the rename finds nothing. A
   * discard that comes after a claim finds nothing either, and returns false.
   */
  async discardContainer({ id, name, slot }: Sandbox, signal: AbortSignal): Promise<boolean> {
    const discarded = discardedName(this.containers.config, id);
    if (slot !== null && !(await this.containers.renameContainer(name, discarded, signal))) return false;
    await this.containers.removeContainer(slot === null ? id : discarded, signal);
    return true;
  }
}
