import type { Connection } from '../runtime/start-agent';
import type { Sandbox, SandboxRuntime } from '../runtime/sandbox-runtime';
import { PooledSandboxes } from './pooled-sandboxes';

/** Removes a pool of which one sandbox cannot be removed. The engine and the agents are fakes. */

const sandbox = (id: string) => ({ id, slot: { number: 0, current: true } }) as Sandbox;
const channel = { open: true, sendRequest: async () => ({ first: true }), close: () => undefined };

describe('PooledSandboxes', () => {
  it('removes all other sandboxes when one cannot be removed, and reports that one', async () => {
    const removed: string[] = [];
    const runtime: Partial<SandboxRuntime> = {
      listSandboxes: async () => [sandbox('unseen')],
      startProcess: async () => Promise.reject(new Error('unseen is gone')),
      listenDirectly: async () => Promise.reject(new Error('unseen is gone')),
      discardSandbox: async ({ id }) => {
        if (id === 'a') throw new Error('a is gone');
        // The failures come first.
        await new Promise(setImmediate);
        removed.push(id);
        return true;
      },
    };
    const pooled = new PooledSandboxes(runtime as SandboxRuntime);
    for (const id of ['a', 'b', 'c']) pooled.waiting.set(id, { sandbox: sandbox(id), channel } as unknown as Connection);
    await expect(pooled.discardAll()).rejects.toThrow('a is gone');
    expect(removed).toEqual(['b', 'c']);
  });
});
