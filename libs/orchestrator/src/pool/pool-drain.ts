import type { SessionStore } from '@sandbox/sessions';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';

/**
 * Looks at all sandboxes of the deployment. It removes those that wait in slots which no process
 * fills: slots of other settings, or of a larger pool.
 * @param size how many slots this process fills
 * @returns the sessions that have a sandbox, by their key
 */
export async function drainPool(runtime: SandboxRuntime, store: SessionStore, size: number): Promise<ReadonlySet<string | null>> {
  const all = await runtime.listSandboxes();
  const others = all.filter(({ slot }) => slot !== null && !(slot.current && slot.number < size));
  if (others.length > 0) {
    const ids = others.map(({ id }) => id);
    const kept = await store.findKnown(ids, store.now());
    for (const sandbox of others) if (!kept.has(sandbox.id)) await runtime.discardSandbox(sandbox);
  }
  return new Set(all.map(({ key }) => key));
}
