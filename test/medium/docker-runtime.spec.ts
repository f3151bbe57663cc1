import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import { createDockerRuntime, type Sandbox } from '@sandbox/orchestrator';
import { eventually } from '../e2e/support/processes';
import { find, pooledIn, removeDeployment, run, sh, testConfig, testEngine, testOwner } from './support/docker';

jest.setTimeout(120_000);

const engine = testEngine();
const config = testConfig();
const runtime = createDockerRuntime(config);
const containerName = (key: string) => `sandbox-${config.DEPLOYMENT}-${key}`;
const volumeName = (key: string) => `sandbox-${config.DEPLOYMENT}-${key.slice(0, 32)}-workspace`;
const container = (key: string) => engine.getContainer(containerName(key));
const made: Config[] = [config];

/** The same deployment under another configuration. */
function variant(variables: Record<string, string>): Config {
  return testConfig({ DEPLOYMENT: config.DEPLOYMENT, ...variables });
}

afterAll(async () => {
  for (const each of made) await removeDeployment(engine, each);
});

/** The engine's list counts in whole seconds. */
const asListed = (sandbox: Sandbox): Sandbox => ({ ...sandbox, createdAt: Math.floor(sandbox.createdAt / 1000) * 1000 });

describe('ensure', () => {
  it('makes a sandbox, and then finds it', async () => {
    const owner = testOwner();
    expect(await find(runtime, owner.key)).toBeNull();
    const first = await runtime.ensure(owner);
    expect(first).toMatchObject({ key: owner.key, image: config.CONTAINER_IMAGE, created: true });
    expect(first.id).toMatch(/^[0-9a-f]{64}$/);
    const { created, ...sandbox } = await runtime.ensure(owner);
    expect(created).toBe(false);
    expect({ ...sandbox, created: true }).toEqual(first);
    expect(await find(runtime, owner.key)).toEqual(asListed(sandbox));
  });

  it('makes one where ten ask at once', async () => {
    const owner = testOwner();
    const other = createDockerRuntime(config);
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? runtime : other).ensure(owner)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(all.filter(({ created }) => created)).toHaveLength(1);
  });

  it('survives two processes that make and remove the same sandbox', async () => {
    const owner = testOwner();
    const other = createDockerRuntime(config);
    const repeat = async (times: number, step: () => Promise<unknown>): Promise<void> => {
      for (let n = 0; n < times; n++) await step();
    };
    await Promise.all([
      repeat(30, () => runtime.ensure(owner)),
      repeat(30, () => other.ensure(owner)),
      repeat(30, () => other.remove(owner.key)),
      repeat(30, () => runtime.remove(owner.key)),
    ]);
    await Promise.all([runtime.remove(owner.key), other.remove(owner.key)]);
    expect(await find(runtime, owner.key)).toBeNull();
    expect((await runtime.list()).filter(({ key }) => key === owner.key)).toEqual([]);
  });

  it.each([
    ['killed', (key: string) => container(key).kill()],
    ['stopped', (key: string) => container(key).stop({ t: 0 })],
    ['removed', (key: string) => container(key).remove({ force: true })],
  ])('makes it anew where it was %s behind our back', async (_, harm) => {
    const owner = testOwner();
    const first = await runtime.ensure(owner);
    await harm(owner.key);
    const second = await runtime.ensure(owner);
    expect(second.created).toBe(true);
    expect(second.id).not.toBe(first.id);
    expect((await container(owner.key).inspect()).State.Running).toBe(true);
  });

  it('lets a paused one go on', async () => {
    const owner = testOwner();
    const first = await runtime.ensure(owner);
    await container(owner.key).pause();
    expect(await runtime.ensure(owner)).toEqual({ ...first, created: false });
    expect((await sh(runtime, first.id, 'echo on')).stdout).toBe('on\n');
  });

  it('starts one whose creator died before it could', async () => {
    const owner = testOwner();
    await runtime.ensure(owner);
    const { Config, HostConfig } = await container(owner.key).inspect();
    await runtime.remove(owner.key);
    const { id } = await engine.createContainer({ ...Config, HostConfig, name: containerName(owner.key) });
    expect(await runtime.ensure(owner)).toMatchObject({ id, created: false });
    expect((await container(owner.key).inspect()).State.Running).toBe(true);
  });

  it('replaces one of another configuration', async () => {
    const owner = testOwner();
    const first = await runtime.ensure(owner);
    const second = await createDockerRuntime(variant({ CONTAINER_PIDS_LIMIT: '77' })).ensure(owner);
    expect(second).toMatchObject({ created: true });
    expect(second.id).not.toBe(first.id);
    expect((await container(owner.key).inspect()).HostConfig.PidsLimit).toBe(77);
  });

  it('never touches a container that is not ours', async () => {
    const owner = testOwner();
    const name = containerName(owner.key);
    const foreign = await engine.createContainer({ name, Image: config.CONTAINER_IMAGE, Cmd: ['sleep', '600'] });
    try {
      const before = await foreign.inspect();
      await expect(runtime.ensure(owner)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      await expect(runtime.remove(owner.key)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      expect(await find(runtime, owner.key)).toBeNull();
      expect((await foreign.inspect()).State).toEqual(before.State);
    } finally {
      await foreign.remove({ force: true });
    }
  });
});

describe('startOf', () => {
  it('is another one after each start, and the same after a pause', async () => {
    const owner = testOwner();
    const { id } = await runtime.ensure(owner);
    const first = await runtime.startOf(id);
    expect(first).toEqual({ id: expect.stringMatching(/^.{1,64}$/), again: false });
    await container(owner.key).pause();
    await container(owner.key).unpause();
    expect(await runtime.startOf(id)).toEqual(first);
    for (let n = 0, before = first; n < 2; n++) {
      await sh(runtime, id, 'echo x > /workspace/file');
      await container(owner.key).restart({ t: 0 });
      const start = await runtime.startOf(id);
      expect(start).toEqual({ id: expect.stringMatching(/^.{1,64}$/), again: true });
      expect(start.id).not.toBe(before.id);
      expect((await sh(runtime, id, 'ls /workspace')).stdout).toBe('');
      before = start;
    }
  });

  it('is the session’s own of one that waited in the pool', async () => {
    const pooled = await pooledIn(runtime, 0);
    const before = await runtime.startOf(pooled.id);
    const owner = testOwner();
    expect(await runtime.claim(owner, pooled)).not.toBeNull();
    expect(await runtime.startOf(pooled.id)).toEqual(before);
    await runtime.remove(owner.key);
  });

  it.each([
    ['ended', (key: string) => container(key).kill()],
    ['is gone', (key: string) => runtime.remove(key)],
  ])('is none when the sandbox %s', async (_, end) => {
    const owner = testOwner();
    const { id } = await runtime.ensure(owner);
    await end(owner.key);
    await expect(runtime.startOf(id)).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });
});

describe('an image', () => {
  it('that is there passes', () => expect(runtime.checkImage()).resolves.toBeUndefined());

  it('that is absent is named', async () => {
    const absent = createDockerRuntime(variant({ CONTAINER_IMAGE: 'sandbox-api-test-absent:1' }));
    const expected = { code: 'SANDBOX_IMAGE_UNUSABLE', message: expect.stringContaining('sandbox-api-test-absent:1') };
    await expect(absent.checkImage()).rejects.toMatchObject(expected);
    await expect(absent.ensure(testOwner())).rejects.toMatchObject(expected);
  });

  it('without sh is named, and its container removed', async () => {
    const name = `sandbox-api-test-empty-${randomBytes(4).toString('hex')}`;
    await importEmptyImage(name);
    const image = `${name}:1`;
    try {
      const owner = testOwner();
      const empty = createDockerRuntime(variant({ CONTAINER_IMAGE: image }));
      await expect(empty.ensure(owner)).rejects.toMatchObject({
        code: 'SANDBOX_IMAGE_UNUSABLE',
        message: expect.stringMatching(/has no sh/),
      });
      expect(await find(runtime, owner.key)).toBeNull();
    } finally {
      await engine.getImage(image).remove();
    }
  });
});

/** An image without a single file. */
async function importEmptyImage(name: string): Promise<void> {
  const emptyTar = Buffer.alloc(1024);
  await new Promise<void>((resolve, reject) => {
    engine.modem.dial(
      {
        path: '/images/create?',
        options: { fromSrc: '-', repo: name, tag: '1' },
        method: 'POST',
        file: emptyTar,
        statusCodes: { 200: true },
      },
      (error: Error | null) => (error ? reject(error) : resolve()),
    );
  });
}

describe('remove and list', () => {
  it('removes a running sandbox, and an absent one too', async () => {
    const owner = testOwner();
    await runtime.ensure(owner);
    await runtime.remove(owner.key);
    await expect(container(owner.key).inspect()).rejects.toMatchObject({ statusCode: 404 });
    await runtime.remove(owner.key);
  });

  it('lists the sandboxes of this deployment, running or not', async () => {
    const [alive, dead, foreign] = [testOwner(), testOwner(), testOwner()];
    const elsewhere = testConfig();
    made.push(elsewhere);
    const [running] = await Promise.all([runtime.ensure(alive), runtime.ensure(dead), createDockerRuntime(elsewhere).ensure(foreign)]);
    await container(dead.key).kill();
    const listed = await runtime.list();
    const keys = listed.map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining([alive.key, dead.key]));
    expect(keys).not.toContain(foreign.key);
    const { created: _, ...sandbox } = running;
    expect(listed.find(({ key }) => key === alive.key)).toEqual(asListed(sandbox));
  });
});

describe('a persistent workspace', () => {
  const persistent = variant({ WORKSPACE_PERSIST_VOLUMES: 'true' });
  const keeping = createDockerRuntime(persistent);
  const mine = (key: string) => ({ label: [`sandbox-api.session=${key}`] });

  it('is writable by the sandbox user and outlives the sandbox, until it is removed', async () => {
    const owner = testOwner();
    const first = await keeping.ensure(owner);
    const written = await sh(keeping, first.id, 'stat -c "%u:%g %a" /workspace && echo kept > /workspace/file');
    expect(written).toMatchObject({ stdout: '1000:1000 700\n', exitCode: 0 });
    expect(await keeping.removeVolume(owner.key)).toBe(false);
    await keeping.remove(owner.key);

    const second = await keeping.ensure(owner);
    expect(second.created).toBe(true);
    expect((await sh(keeping, second.id, 'cat /workspace/file')).stdout).toBe('kept\n');
    await keeping.remove(owner.key);

    expect(await keeping.removeVolume(owner.key)).toBe(true);
    expect(await keeping.removeVolume(owner.key)).toBe(true);
    await expect(engine.getVolume(volumeName(owner.key)).inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toEqual([]);
  });

  it('is made right where its creator died before it could, and its leftovers are removed', async () => {
    const owner = testOwner();
    await keeping.ensure(owner);
    const { Config, HostConfig } = await container(owner.key).inspect();
    await keeping.remove(owner.key);
    await keeping.removeVolume(owner.key);
    await engine.createContainer({ ...Config, HostConfig, name: containerName(owner.key) });
    const leftover = { ...Config.Labels, 'sandbox-api.kind': 'volume-init' };
    await engine.createContainer({ ...Config, Labels: leftover, HostConfig });
    const { id } = await keeping.ensure(owner);
    expect((await sh(keeping, id, 'touch /workspace/file')).exitCode).toBe(0);
    await keeping.remove(owner.key);
    expect(await keeping.removeVolume(owner.key)).toBe(true);
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toEqual([]);
  });

  it('is writable where ten ask for it at once', async () => {
    const owner = testOwner();
    const all = await Promise.all(Array.from({ length: 10 }, () => keeping.ensure(owner)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect((await sh(keeping, all[0]!.id, 'touch /workspace/file')).exitCode).toBe(0);
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toHaveLength(1);
  });

  it('never touches a volume that is not ours', async () => {
    const owner = testOwner();
    const name = volumeName(owner.key);
    await engine.createVolume({ Name: name });
    try {
      await expect(keeping.ensure(owner)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      await expect(keeping.removeVolume(owner.key)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      expect(await find(keeping, owner.key)).toBeNull();
    } finally {
      await engine.getVolume(name).remove();
    }
  });
});

describe('exec', () => {
  const owner = testOwner();
  let id: string;
  beforeAll(async () => {
    ({ id } = await runtime.ensure(owner));
  });

  it('gives stdout, stderr and the exit code apart', async () => {
    expect(await run(runtime, id, ['sh', '-c', 'cat; echo err >&2; exit 7'], 'in\n')).toEqual({
      stdout: 'in\n',
      stderr: 'err\n',
      exitCode: 7,
    });
  });

  it('passes arguments untouched', async () => {
    const { stream } = await runtime.exec(id, ['sh', '-c', 'echo "$HOME|$1"', 'sh', "$(id) 'x'"]);
    expect((await buffer(stream)).toString()).toBe("/workspace|$(id) 'x'\n");
  });

  it('keeps the last 2 KiB of stderr', async () => {
    const { stderr } = await sh(runtime, id, 'seq 100000 >&2; echo last >&2');
    expect(stderr).toHaveLength(2048);
    expect(stderr.endsWith('100000\nlast\n')).toBe(true);
  });

  it('carries 5 MB of any bytes both ways', async () => {
    const bytes = randomBytes(5_000_000);
    const { stream, ended } = await runtime.exec(id, ['cat']);
    stream.end(bytes);
    expect((await buffer(stream)).equals(bytes)).toBe(true);
    expect(await ended).toEqual({ exitCode: 0, stderr: '' });
  });

  it('holds back a process whose output nobody reads', async () => {
    const script = 'head -c 50000000 /dev/zero; touch /tmp/written';
    const { stream, ended } = await runtime.exec(id, ['sh', '-c', script]);
    await once(stream, 'readable');
    // The pipes, the engine and the kernel's socket buffers hold far less than what is written.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await sh(runtime, id, 'test -e /tmp/written')).exitCode).toBe(1);
    expect(stream.readableLength).toBeLessThan(1_000_000);
    expect(await buffer(stream)).toHaveLength(50_000_000);
    expect((await ended).exitCode).toBe(0);
  });

  it('holds back a writer whose process does not read', async () => {
    const { stream } = await runtime.exec(id, ['sleep', '600']);
    let taken = 0;
    const chunk = Buffer.alloc(64 * 1024);
    while (taken < 50_000_000) {
      const ready = stream.write(chunk) || (await drained(stream, 1000));
      if (!ready) break;
      taken += chunk.length;
    }
    expect(taken).toBeLessThan(50_000_000);
    stream.destroy();
  });

  it('closes stdin when the stream is destroyed, so the process ends', async () => {
    const { stream, ended } = await runtime.exec(id, ['sh', '-c', 'cat > /dev/null; touch /tmp/closed']);
    stream.write('some');
    stream.destroy();
    expect((await ended).stderr).toBe('');
    await until(async () => (await sh(runtime, id, 'test -e /tmp/closed')).exitCode === 0);
  });

  it('is a lost sandbox where it is stopped or gone', async () => {
    const lost = testOwner();
    const sandbox = await runtime.ensure(lost);
    const { stream, ended } = await runtime.exec(sandbox.id, ['cat']);
    stream.write('running');
    await once(stream, 'readable');
    await container(lost.key).kill();
    await expect(runtime.exec(sandbox.id, ['true'])).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect((await buffer(stream)).toString()).toBe('running');
    await ended;
    await runtime.remove(lost.key);
    await expect(runtime.exec(sandbox.id, ['true'])).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });
});

async function drained(stream: NodeJS.WritableStream, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    stream.once('drain', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('condition not met');
}

describe('an engine that is away', () => {
  const unavailable = { code: 'RUNTIME_UNAVAILABLE', retryAfter: 2, message: expect.not.stringContaining('/') };
  const silentPath = join(tmpdir(), `silent-engine-${randomBytes(4).toString('hex')}.sock`);
  let silent: Server;
  beforeAll((done) => {
    silent = createServer((socket) => socket.resume()).listen(silentPath, done);
  });
  // Ends only when every connection has: none is left behind by a call that was given up.
  afterAll((done) => void silent.close(done));

  it.each([
    ['is not there', () => join(tmpdir(), 'no-engine.sock')],
    ['never answers', () => silentPath],
  ])('and %s is a typed error of every call', async (_, path) => {
    const away = createDockerRuntime(variant({ DOCKER_HOST: `unix://${path()}` }), { lifecycle: 200, call: 200, ping: 200 });
    const { key, userKey } = testOwner();
    const calls = [
      away.ensure({ key, userKey }),
      away.startOf('0'.repeat(64)),
      away.exec('0'.repeat(64), ['true']),
      away.remove(key),
      away.removeVolume(key),
      away.list(),
      away.ping(),
      away.checkImage(),
    ];
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
  });

  it('and answers again works again', async () => {
    await expect(runtime.ping()).resolves.toBeUndefined();
  });
});

describe('options', () => {
  const OPTIONS = { memory: '300m', cpus: 0.25, pids: 40, env: { A: 'b' } };

  it('make the container what they ask for, and stay with it', async () => {
    const owner = testOwner();
    const settings = { ttl_seconds: 60, metadata: { team: 'blue' } };
    const first = await runtime.ensure(owner, OPTIONS, settings);
    expect(first).toMatchObject({ options: OPTIONS, settings, created: true });
    const { HostConfig } = await container(owner.key).inspect();
    expect(HostConfig).toMatchObject({ Memory: 300 * 1024 ** 2, MemorySwap: 300 * 1024 ** 2, CpuQuota: 25_000, PidsLimit: 40 });
    // Whoever asks for what: the sandbox that is there is the session's.
    const { created: _, ...sandbox } = first;
    for (const asked of [undefined, null, {}, { pids: 50 }])
      expect(await runtime.ensure(owner, asked)).toEqual({ ...sandbox, created: false });
    expect(await find(runtime, owner.key)).toEqual(asListed(sandbox));
    expect((await runtime.list()).find(({ key }) => key === owner.key)).toMatchObject({ options: OPTIONS, settings });
  });

  it('outlive the container where nobody knows them any more, and give way to those that are known', async () => {
    const owner = testOwner();
    const first = await runtime.ensure(owner, OPTIONS);
    await container(owner.key).kill();
    const second = await runtime.ensure(owner, null);
    expect(second).toMatchObject({ created: true, options: OPTIONS });
    expect(second.id).not.toBe(first.id);
    await container(owner.key).kill();
    expect(await runtime.ensure(owner, { pids: 50 })).toMatchObject({ created: true, options: { pids: 50 } });
  });

  it('give a session its volume back, without asking for it again', async () => {
    const persisting = createDockerRuntime(variant({ ALLOW_PERSISTENT_SESSIONS: 'true' }));
    const owner = testOwner();
    const first = await persisting.ensure(owner, { persistent: true });
    await sh(persisting, first.id, 'echo kept > /workspace/file');
    await persisting.remove(owner.key);
    const second = await persisting.ensure(owner, {});
    expect(second.options).toEqual({ persistent: true });
    expect((await sh(persisting, second.id, 'cat /workspace/file')).stdout).toBe('kept\n');
    await persisting.remove(owner.key);
    expect(await persisting.removeVolume(owner.key)).toBe(true);
    expect((await persisting.ensure(owner, {})).options).toEqual({});
  });
});

describe('the pool', () => {
  const other = createDockerRuntime(config);

  it('has one wait in each slot, whoever asks, under a name that no other has', async () => {
    const mine = [await pooledIn(runtime, 0), await pooledIn(runtime, 1)];
    const others = [await pooledIn(other, 0), await pooledIn(other, 1)];
    expect(new Set(others.map(({ id }) => id))).toEqual(new Set(mine.map(({ id }) => id)));
    for (const { key, slot, options, name, id } of mine) {
      expect([key, slot?.current, options]).toEqual([null, true, {}]);
      expect(name).toMatch(new RegExp(`-${slot!.number}-${id.slice(0, 12)}$`));
    }
    expect((await runtime.list()).filter(({ slot }) => slot !== null)).toHaveLength(2);
  });

  it('gives what waits to a session, for which it is as any', async () => {
    const pooled = await pooledIn(runtime, 0);
    const owner = testOwner();
    expect(await runtime.isVacant(owner.key)).toBe(true);
    expect(await runtime.claim(owner, pooled)).toMatchObject({ id: pooled.id, key: owner.key, slot: null });
    expect(await runtime.isVacant(owner.key)).toBe(false);
    expect(await runtime.claim(testOwner(), pooled)).toBeNull();
    expect(await runtime.ensure(owner)).toMatchObject({ id: pooled.id, created: false });
    expect(await find(runtime, owner.key)).toMatchObject({ id: pooled.id, key: owner.key });
    expect((await runtime.list()).find(({ id }) => id === pooled.id)).toMatchObject({ key: owner.key });
    expect((await pooledIn(runtime, 0)).id).not.toBe(pooled.id);
    await runtime.remove(owner.key);
    expect(await find(runtime, owner.key)).toBeNull();
  });

  it('gives nothing to a session that has a sandbox or a volume', async () => {
    const pooled = await pooledIn(runtime, 0);
    const owner = testOwner();
    await runtime.ensure(owner);
    expect(await runtime.claim(owner, pooled)).toBeNull();
    const persisting = createDockerRuntime(variant({ ALLOW_PERSISTENT_SESSIONS: 'true' }));
    const kept = testOwner();
    await persisting.ensure(kept, { persistent: true });
    await persisting.remove(kept.key);
    expect(await persisting.isVacant(kept.key)).toBe(false);
    expect(await persisting.isVacant(testOwner().key)).toBe(true);
  });

  it('has slots of its own for other settings', async () => {
    const mine = await pooledIn(runtime, 0);
    const others = createDockerRuntime(variant({ CONTAINER_PIDS_LIMIT: '77' }));
    expect((await pooledIn(others, 0)).id).not.toBe(mine.id);
    expect((await others.list()).find(({ id }) => id === mine.id)).toMatchObject({ slot: { current: false } });
  });

  it('goes on with one whose maker died before it was there, and replaces one that ended', async () => {
    const first = await pooledIn(runtime, 0);
    await engine.getContainer(first.id).kill();
    // The engine's list learns of an end a little later than who waits for it.
    const list = () => engine.listContainers({ all: true, filters: { id: [first.id] } });
    await eventually('it is listed as ended', async () => (await list())[0]?.State === 'exited');
    const second = await pooledIn(runtime, 0);
    expect(second.id).not.toBe(first.id);
    await expect(engine.getContainer(first.id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    const { Config, HostConfig } = await engine.getContainer(second.id).inspect();
    expect(await runtime.discard(second)).toBe(true);
    const { id } = await engine.createContainer({ ...Config, HostConfig, name: second.name.replace(/-[0-9a-f]{12}$/, '') });
    // As long as its maker may be at it, it is left to that one.
    expect(await pooledIn(runtime, 0)).toBeUndefined();
    await sleep(10_000);
    expect(await pooledIn(runtime, 0)).toMatchObject({ id, slot: { current: true } });
  });

  it('is left alone by who would discard what was claimed meanwhile', async () => {
    const pooled = await pooledIn(runtime, 0);
    const owner = testOwner();
    await runtime.claim(owner, pooled);
    expect(await runtime.discard(pooled)).toBe(false);
    expect(await find(runtime, owner.key)).toMatchObject({ id: pooled.id });
  });
});
