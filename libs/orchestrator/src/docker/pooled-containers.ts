import type { Sandbox, SandboxOwner } from '../sandbox-runtime';
import { containerName, discardedName, pooledName, pooledSpec, waitingName, waitingPattern } from './container-spec';
import type { Containers } from './containers';

/** What was made so long ago and still has its first name was left by a maker that died, milliseconds. */
const ORPHANED_MS = 10_000;

/** The containers that wait for a session, each in a slot, and are its own once they have its name. */
export class PooledContainers {
  constructor(private readonly containers: Containers) {}

  /** What waits to be claimed, made by these settings; without what has ended, which is removed. */
  async waiting(signal: AbortSignal): Promise<Sandbox[]> {
    const { config, pooledSpec: spec } = this.containers;
    const found = await this.containers.listByName(waitingPattern(config, spec), signal);
    const ended = found.filter(({ state }) => state === 'exited' || state === 'dead');
    for (const { sandbox } of ended) await this.discard(sandbox, signal);
    return found.filter(({ state }) => state === 'running').map(({ sandbox }) => sandbox);
  }

  /** Has one wait in a slot. Null where another process has made it, or is about to: it waits, or has been claimed. */
  async make(slot: number, signal: AbortSignal): Promise<Sandbox | null> {
    const { config, pooledSpec: spec } = this.containers;
    const wanted = {
      name: pooledName(config, spec, slot),
      key: null,
      spec: () => spec,
      make: async () => ({ options: {}, spec: pooledSpec(config, slot) }),
    };
    // Since the caller has looked, another process may have come to this slot.
    if ((await this.containers.listByName(waitingPattern(config, spec, slot), signal)).length > 0) return null;
    const { id, created, createdAt } = await this.containers.ensure(wanted, signal);
    // Its maker renames it: a rename of another's that comes late could take it from the session that has claimed it by then.
    if (!created && Date.now() - createdAt < ORPHANED_MS) return null;
    const name = waitingName(config, spec, slot, id);
    if (!(await this.containers.rename(wanted.name, name, signal))) return null;
    const found = await this.containers.find(name, null, signal);
    if (found?.id === id) return found;
    // It had left its first name to the next one, which has now one that says another's id.
    if (found) await this.containers.remove(found.id, signal);
    return null;
  }

  /**
   * One engine call: no other container ever has the name by which it waited. The engine finds a container by its name before it locks it, so of
   * two renames that come at once both may be done: that callers do not is for them to see to.
   */
  async claim({ key }: SandboxOwner, preferred: Sandbox, signal: AbortSignal): Promise<Sandbox | null> {
    const name = containerName(this.containers.config, key);
    return (await this.containers.rename(preferred.name, name, signal)) ? { ...preferred, name, key, slot: null } : null;
  }

  /** By renaming it first: a claim that comes later finds nothing, and a discard that comes later than a claim neither. */
  async discard({ id, name, slot }: Sandbox, signal: AbortSignal): Promise<boolean> {
    const discarded = discardedName(this.containers.config, id);
    if (slot !== null && !(await this.containers.rename(name, discarded, signal))) return false;
    await this.containers.remove(slot === null ? id : discarded, signal);
    return true;
  }
}
