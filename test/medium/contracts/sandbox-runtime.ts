import { randomBytes } from 'node:crypto';
import type { Sandbox } from '@sandbox/orchestrator';
import { UNDER_GVISOR } from '../../support/engine-under-test';
import { find, pooledIn, sh, testOwner } from '../../support/adapters/docker';
import type { RuntimeUnderTest } from './runtime-under-test';
import { describeDirectWay } from './sandbox-direct';
import { describeNetwork } from './sandbox-network';
import { describeExec } from './sandbox-exec';
import { TEST_IMAGE } from '../../support/engine-under-test';

/** A listing may tell of times in whole seconds. */
const asListed = (sandbox: Sandbox): Sandbox => ({ ...sandbox, createdAt: Math.floor(sandbox.createdAt / 1000) * 1000 });

/**
 * What every SandboxRuntime keeps to. A second runtime is done when this passes for it. What the
 * runtime cannot do, by its capabilities, is left out.
 */
export function describeSandboxRuntime(subject: RuntimeUnderTest): void {
  const runtime = subject.create();

  describe('ensure', () => {
    it('makes a sandbox when there is none, and finds it afterwards', async () => {
      const owner = testOwner();
      expect([await find(runtime, owner.key), await runtime.findSandbox(owner.key)]).toEqual([null, null]);
      const first = await runtime.ensureSandbox(owner);
      expect(first).toMatchObject({ key: owner.key, image: TEST_IMAGE, created: true });
      expect(first.id).toMatch(/^[0-9a-f]{12,}$/);
      const { created, ...sandbox } = await runtime.ensureSandbox(owner);
      expect(created).toBe(false);
      expect({ ...sandbox, created: true }).toEqual(first);
      expect(await find(runtime, owner.key)).toEqual(asListed(sandbox));
      expect(await runtime.findSandbox(owner.key)).toEqual(sandbox);
    });

    it('makes one sandbox when ten ask at once', async () => {
      const owner = testOwner();
      const other = subject.create();
      const all = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? runtime : other).ensureSandbox(owner)));
      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(all.filter(({ created }) => created)).toHaveLength(1);
    });

    it('leaves no sandbox behind when two processes make and remove the same one', async () => {
      const owner = testOwner();
      const other = subject.create();
      const repeat = async (times: number, step: () => Promise<unknown>): Promise<void> => {
        for (let n = 0; n < times; n++) await step();
      };
      await Promise.all([
        repeat(30, () => runtime.ensureSandbox(owner)),
        repeat(30, () => other.ensureSandbox(owner)),
        repeat(30, () => other.removeSandbox(owner.key)),
        repeat(30, () => runtime.removeSandbox(owner.key)),
      ]);
      await Promise.all([runtime.removeSandbox(owner.key), other.removeSandbox(owner.key)]);
      expect(await find(runtime, owner.key)).toBeNull();
      expect((await runtime.listSandboxes()).filter(({ key }) => key === owner.key)).toEqual([]);
    });

    it.each([
      ['killed', (key: string) => subject.kill(key)],
      ['removed', (key: string) => subject.vanish(key)],
    ])('makes a new sandbox when the old one was %s behind its back', async (_, harm) => {
      const owner = testOwner();
      const first = await runtime.ensureSandbox(owner);
      await harm(owner.key);
      const second = await runtime.ensureSandbox(owner);
      expect(second.created).toBe(true);
      expect(second.id).not.toBe(first.id);
      expect((await sh(runtime, second.id, 'echo on')).stdout).toBe('on\n');
    });

    it('replaces a sandbox when it was made by other settings', async () => {
      const owner = testOwner();
      const first = await runtime.ensureSandbox(owner);
      const second = await subject.create({ CONTAINER_CPU_QUOTA: '30000' }).ensureSandbox(owner);
      expect(second).toMatchObject({ created: true });
      expect(second.id).not.toBe(first.id);
    });
  });

  describe('startOf', () => {
    (subject.restart === null ? it.skip : it)('gives another start each time when a sandbox is restarted', async () => {
      const owner = testOwner();
      const { id } = await runtime.ensureSandbox(owner);
      const first = await runtime.startOf(id);
      expect(first).toEqual({ id: expect.stringMatching(/^.{1,64}$/), again: false });
      expect(await runtime.startOf(id)).toEqual(first);
      for (let n = 0, before = first; n < 2; n++) {
        await sh(runtime, id, 'echo x > /workspace/file');
        await subject.restart!(owner.key);
        const start = await runtime.startOf(id);
        expect(start).toEqual({ id: expect.stringMatching(/^.{1,64}$/), again: true });
        expect(start.id).not.toBe(before.id);
        expect((await sh(runtime, id, 'ls /workspace')).stdout).toBe('');
        before = start;
      }
    });

    it('gives another start to a session when its sandbox waited in the pool', async () => {
      const pooled = await pooledIn(runtime, 0);
      const before = await runtime.startOf(pooled.id);
      const owner = testOwner();
      expect(await runtime.claimSandbox(owner, pooled)).not.toBeNull();
      expect(await runtime.startOf(pooled.id)).toEqual(before);
      await runtime.removeSandbox(owner.key);
    });

    it.each([
      ['ended', (key: string) => subject.kill(key)],
      ['is gone', (key: string) => runtime.removeSandbox(key)],
    ])('throws when the sandbox %s', async (_, end) => {
      const owner = testOwner();
      const { id } = await runtime.ensureSandbox(owner);
      await end(owner.key);
      await expect(runtime.startOf(id)).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    });
  });

  describe('checkImage', () => {
    it('names the image when it is absent', async () => {
      await expect(runtime.checkImage()).resolves.toBeUndefined();
      const absent = subject.create({ CONTAINER_IMAGE: 'sandbox-api-test-absent:1' });
      const expected = { code: 'SANDBOX_IMAGE_UNUSABLE', message: expect.stringContaining('sandbox-api-test-absent:1') };
      // A runtime may know it only since it has tried.
      await expect(absent.ensureSandbox(testOwner())).rejects.toMatchObject(expected);
      await expect(absent.checkImage()).rejects.toMatchObject(expected);
    });
  });

  describe('remove and list', () => {
    it('removes a sandbox when it runs, and succeeds when there is none', async () => {
      const owner = testOwner();
      const { id } = await runtime.ensureSandbox(owner);
      await runtime.removeSandbox(owner.key);
      expect(await find(runtime, owner.key)).toBeNull();
      await expect(runtime.startProcess(id, ['true'])).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
      await runtime.removeSandbox(owner.key);
    });

    it('lists a sandbox when it is of this deployment, running or not', async () => {
      const [alive, dead, foreign] = [testOwner(), testOwner(), testOwner()];
      const elsewhere = subject.create({ DEPLOYMENT: `test-${randomBytes(6).toString('hex')}` });
      const [running] = await Promise.all([runtime.ensureSandbox(alive), runtime.ensureSandbox(dead), elsewhere.ensureSandbox(foreign)]);
      await subject.kill(dead.key);
      const listed = await runtime.listSandboxes();
      const keys = listed.map(({ key }) => key);
      expect(keys).toEqual(expect.arrayContaining([alive.key, dead.key]));
      expect(keys).not.toContain(foreign.key);
      const { created: _, ...sandbox } = running;
      expect(listed.find(({ key }) => key === alive.key)).toEqual(asListed(sandbox));
    });
  });

  (runtime.capabilities.persistent ? describe : describe.skip)('a persistent workspace', () => {
    const keeping = subject.create({ WORKSPACE_PERSIST_VOLUMES: 'true' });

    it('keeps a workspace when its sandbox is removed, until the volume is removed', async () => {
      const owner = testOwner();
      const first = await keeping.ensureSandbox(owner);
      const written = await sh(keeping, first.id, 'stat -c "%u:%g %a" /workspace && echo kept > /workspace/file');
      expect(written).toMatchObject({ stdout: '1000:1000 700\n', exitCode: 0 });
      expect(await keeping.removeVolume(owner.key)).toBe(false);
      await keeping.removeSandbox(owner.key);

      const second = await keeping.ensureSandbox(owner);
      expect(second.created).toBe(true);
      expect((await sh(keeping, second.id, 'cat /workspace/file')).stdout).toBe('kept\n');
      await keeping.removeSandbox(owner.key);

      expect(await keeping.removeVolume(owner.key)).toBe(true);
      expect(await keeping.removeVolume(owner.key)).toBe(true);
      const third = await keeping.ensureSandbox(owner);
      expect((await sh(keeping, third.id, 'ls /workspace')).stdout).toBe('');
      await keeping.removeSandbox(owner.key);
      await keeping.removeVolume(owner.key);
    });

    it('gives one writable workspace when ten ask at once', async () => {
      const owner = testOwner();
      const all = await Promise.all(Array.from({ length: 10 }, () => keeping.ensureSandbox(owner)));
      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect((await sh(keeping, all[0]!.id, 'touch /workspace/file')).exitCode).toBe(0);
    });

    it('gives a session its volume back when it does not ask for one', async () => {
      const persisting = subject.create({ ALLOW_PERSISTENT_SESSIONS: 'true' });
      const owner = testOwner();
      const first = await persisting.ensureSandbox(owner, { persistent: true });
      await sh(persisting, first.id, 'echo kept > /workspace/file');
      await persisting.removeSandbox(owner.key);
      const second = await persisting.ensureSandbox(owner, {});
      expect(second.options).toEqual(first.options);
      expect(second.options).toMatchObject({ persistent: true });
      expect((await sh(persisting, second.id, 'cat /workspace/file')).stdout).toBe('kept\n');
      await persisting.removeSandbox(owner.key);
      expect(await persisting.removeVolume(owner.key)).toBe(true);
      expect((await persisting.ensureSandbox(owner, {})).options).toEqual({});
    });
  });

  (runtime.capabilities.disk ? describe : describe.skip)('a workspace on the disk', () => {
    const DISK = { disk: '64m' };

    it('is the session’s own, and goes with its sandbox', async () => {
      const owner = testOwner();
      const first = await runtime.ensureSandbox(owner, DISK);
      expect(first.options).toEqual(DISK);
      const written = await sh(
        runtime,
        first.id,
        'stat -c "%u:%g %a" /workspace && echo mine > /workspace/file && stat -f -c %T /workspace',
      );
      expect(written).toMatchObject({ stdout: expect.stringMatching(/^1000:1000 700\n(?!tmpfs)/), exitCode: 0 });
      await runtime.removeSandbox(owner.key);
      const second = await runtime.ensureSandbox(owner, DISK);
      expect((await sh(runtime, second.id, 'ls -A /workspace')).stdout).toBe('');
      await subject.kill(owner.key);
      const third = await runtime.ensureSandbox(owner, null);
      expect(third).toMatchObject({ options: DISK, created: true });
      expect(await runtime.removeLostVolumes()).toBe(0);
      await runtime.removeSandbox(owner.key);
      expect(await runtime.removeVolume(owner.key)).toBe(true);
      expect(await runtime.removeLostVolumes()).toBe(0);
    });

    it('is removed later when it has lost its sandbox, and a persistent one is not', async () => {
      const keeping = subject.create({ ALLOW_PERSISTENT_SESSIONS: 'true' });
      const [lost, kept, live] = [testOwner(), testOwner(), testOwner()];
      await runtime.ensureSandbox(lost, DISK);
      await keeping.ensureSandbox(kept, { ...DISK, persistent: true });
      const { id } = await runtime.ensureSandbox(live, DISK);
      await subject.vanish(lost.key);
      await subject.vanish(kept.key);
      expect(await runtime.removeLostVolumes()).toBe(1);
      expect(await runtime.removeLostVolumes()).toBe(0);
      expect((await sh(runtime, id, 'touch /workspace/file')).exitCode).toBe(0);
      expect((await keeping.ensureSandbox(kept)).options).toEqual({ ...DISK, persistent: true });
      await keeping.removeSandbox(kept.key);
      expect(await keeping.removeVolume(kept.key)).toBe(true);
    });

    it('keeps the limit that a persistent one was made with', async () => {
      const owner = testOwner();
      const keeping = subject.create({ ALLOW_PERSISTENT_SESSIONS: 'true' });
      await keeping.ensureSandbox(owner, { ...DISK, persistent: true });
      await keeping.removeSandbox(owner.key);
      expect((await keeping.ensureSandbox(owner, { disk: '1g' })).options).toEqual({ ...DISK, persistent: true });
      await keeping.removeSandbox(owner.key);
      expect(await keeping.removeVolume(owner.key)).toBe(true);
    });

    it('tells how it is bounded', async () => {
      expect(['quota', UNDER_GVISOR ? 'unguarded' : 'measured']).toContain(await runtime.diskBound());
    });
  });

  describeExec(subject);
  describeDirectWay(subject);
  describeNetwork(subject);

  describe('options', () => {
    const OPTIONS = { memory: '300m', cpus: 0.25, env: { A: 'b' }, ...(runtime.capabilities.pids && { pids: 40 }) };

    it('keeps a sandbox’s options when a later call asks for others', async () => {
      const owner = testOwner();
      const settings = { ttl_seconds: 60, metadata: { team: 'blue' } };
      const first = await runtime.ensureSandbox(owner, OPTIONS, settings);
      expect(first).toMatchObject({ options: OPTIONS, settings, created: true });
      const { created: _, ...sandbox } = first;
      for (const asked of [undefined, null, {}, { cpus: 0.3 }])
        expect(await runtime.ensureSandbox(owner, asked)).toEqual({ ...sandbox, created: false });
      expect((await runtime.listSandboxes()).find(({ key }) => key === owner.key)).toMatchObject({ options: OPTIONS, settings });
    });

    it('takes the options of the old container when nobody knows them, else those that are given', async () => {
      const owner = testOwner();
      const first = await runtime.ensureSandbox(owner, OPTIONS);
      await subject.kill(owner.key);
      const second = await runtime.ensureSandbox(owner, null);
      expect(second).toMatchObject({ created: true, options: OPTIONS });
      expect(second.id).not.toBe(first.id);
      await subject.kill(owner.key);
      expect(await runtime.ensureSandbox(owner, { cpus: 0.3 })).toMatchObject({ created: true, options: { cpus: 0.3 } });
    });
  });

  describe('the pool', () => {
    const other = subject.create();

    it('lets one sandbox wait in each slot when several processes fill it', async () => {
      const mine = [await pooledIn(runtime, 0), await pooledIn(runtime, 1)];
      const others = [await pooledIn(other, 0), await pooledIn(other, 1)];
      expect(new Set(others.map(({ id }) => id))).toEqual(new Set(mine.map(({ id }) => id)));
      for (const { key, slot, options } of mine) expect([key, slot?.current, options]).toEqual([null, true, {}]);
      expect(new Set(mine.map(({ name }) => name)).size).toBe(2);
      expect((await runtime.listSandboxes()).filter(({ slot }) => slot !== null)).toHaveLength(2);
    });

    it('gives a session a waiting sandbox when it claims one', async () => {
      const pooled = await pooledIn(runtime, 0);
      const owner = testOwner();
      expect(await runtime.isVacant(owner.key)).toBe(true);
      expect(await runtime.claimSandbox(owner, pooled)).toMatchObject({ id: pooled.id, key: owner.key, slot: null });
      expect(await runtime.isVacant(owner.key)).toBe(false);
      expect(await runtime.claimSandbox(testOwner(), pooled)).toBeNull();
      expect(await runtime.ensureSandbox(owner)).toMatchObject({ id: pooled.id, created: false });
      expect(await find(runtime, owner.key)).toMatchObject({ id: pooled.id, key: owner.key });
      expect((await runtime.listSandboxes()).find(({ id }) => id === pooled.id)).toMatchObject({ key: owner.key });
      expect((await pooledIn(runtime, 0)).id).not.toBe(pooled.id);
      await runtime.removeSandbox(owner.key);
      expect(await find(runtime, owner.key)).toBeNull();
    });

    it('gives a session nothing when it has a sandbox', async () => {
      const pooled = await pooledIn(runtime, 0);
      const owner = testOwner();
      await runtime.ensureSandbox(owner);
      expect(await runtime.claimSandbox(owner, pooled)).toBeNull();
    });

    it('fills other slots when the settings differ', async () => {
      const mine = await pooledIn(runtime, 0);
      const others = subject.create({ CONTAINER_CPU_QUOTA: '30000' });
      expect((await pooledIn(others, 0)).id).not.toBe(mine.id);
      expect((await others.listSandboxes()).find(({ id }) => id === mine.id)).toMatchObject({ slot: { current: false } });
    });

    it('discards no sandbox when it was claimed meanwhile', async () => {
      const pooled = await pooledIn(runtime, 0);
      const owner = testOwner();
      await runtime.claimSandbox(owner, pooled);
      expect(await runtime.discardSandbox(pooled)).toBe(false);
      expect(await find(runtime, owner.key)).toMatchObject({ id: pooled.id });
    });
  });
}
