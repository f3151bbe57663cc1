import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import { createDockerRuntime } from '@sandbox/orchestrator';
import type { ContainerInspectInfo } from 'dockerode';
import { TEST_CHANNEL, TEST_CHANNEL_DIRECTORY } from '../support/engine-under-test';
import { leaveNoContainer } from '../support/leave-no-container';
import { eventually } from '../support/service/processes';
import { describeSandboxRuntime } from './contracts/sandbox-runtime';
import {
  containersOf,
  find,
  pooledIn,
  removeContainer,
  removeDeployment,
  sh,
  testConfig,
  testEngine,
  testOwner,
} from '../support/adapters/docker';

jest.setTimeout(120_000);

const engine = testEngine();
const config = testConfig();
const runtime = createDockerRuntime(config);
const containerName = (key: string) => `sandbox-${config.DEPLOYMENT}-${key}`;
const volumeName = (key: string) => `sandbox-${config.DEPLOYMENT}-${key.slice(0, 32)}-workspace`;
const container = (key: string) => engine.getContainer(containerName(key));
const made: Config[] = [config];

/** @returns other settings for the same deployment */
function variant(variables: Record<string, string>): Config {
  return testConfig({ DEPLOYMENT: config.DEPLOYMENT, ...variables });
}

function directoriesOf({ HostConfig }: ContainerInspectInfo): string[] {
  return (HostConfig.Mounts ?? []).flatMap(({ Type, Source }) => (Type === 'bind' ? [Source] : []));
}

/** Makes a container like one that is gone, and does not start it, as a process that dies does. */
async function makeAgain(found: ContainerInspectInfo, changes: object): Promise<{ id: string }> {
  for (const directory of directoriesOf(found)) mkdirSync(directory, { recursive: true });
  return engine.createContainer({ ...found.Config, HostConfig: found.HostConfig, ...changes });
}

leaveNoContainer(
  () => containersOf(engine, config),
  (each) => removeContainer(engine, each),
);
afterAll(async () => {
  for (const each of made) await removeDeployment(engine, each);
});

describeSandboxRuntime({
  create: (variables = {}) => {
    const own = variant(variables);
    made.push(own);
    return createDockerRuntime(own);
  },
  kill: (key) => container(key).kill(),
  vanish: (key) => container(key).remove({ force: true }),
  restart: (key) => container(key).restart({ t: 0 }),
  notesNetwork: TEST_CHANNEL_DIRECTORY !== '',
});

describe('the Docker runtime, for the container of a session,', () => {
  it.each([['stopped', (key: string) => container(key).stop({ t: 0 })]])(
    'makes a new one when the old one was %s behind its back',
    async (_, harm) => {
      const owner = testOwner();
      const first = await runtime.ensureSandbox(owner);
      await harm(owner.key);
      const second = await runtime.ensureSandbox(owner);
      expect(second.created).toBe(true);
      expect(second.id).not.toBe(first.id);
      expect((await container(owner.key).inspect()).State.Running).toBe(true);
    },
  );

  it('unpauses one when it is paused', async () => {
    const owner = testOwner();
    const first = await runtime.ensureSandbox(owner);
    await container(owner.key).pause();
    expect(await runtime.ensureSandbox(owner)).toEqual({ ...first, created: false });
    expect((await sh(runtime, first.id, 'echo on')).stdout).toBe('on\n');
  });

  it('starts one when its creator died before starting it', async () => {
    const owner = testOwner();
    await runtime.ensureSandbox(owner);
    const found = await container(owner.key).inspect();
    await runtime.removeSandbox(owner.key);
    const { id } = await makeAgain(found, { name: containerName(owner.key) });
    expect(await runtime.ensureSandbox(owner)).toMatchObject({ id, created: false });
    expect((await container(owner.key).inspect()).State.Running).toBe(true);
  });

  it('makes one anew when its creator died before starting it and its directory is gone', async () => {
    const owner = testOwner();
    await runtime.ensureSandbox(owner);
    const found = await container(owner.key).inspect();
    await runtime.removeSandbox(owner.key);
    const { id } = await makeAgain(found, { name: containerName(owner.key) });
    for (const directory of directoriesOf(found)) rmSync(directory, { recursive: true });
    const sandbox = await runtime.ensureSandbox(owner);
    expect(sandbox.created).toBe(TEST_CHANNEL === 'direct');
    expect(sandbox.id === id).toBe(TEST_CHANNEL === 'exec');
  });

  it('replaces one when its configuration differs', async () => {
    const owner = testOwner();
    const first = await runtime.ensureSandbox(owner);
    const second = await createDockerRuntime(variant({ CONTAINER_PIDS_LIMIT: '77' })).ensureSandbox(owner);
    expect(second).toMatchObject({ created: true });
    expect(second.id).not.toBe(first.id);
    expect((await container(owner.key).inspect()).HostConfig.PidsLimit).toBe(77);
  });

  it('touches no container when it is not ours', async () => {
    const owner = testOwner();
    const name = containerName(owner.key);
    const foreign = await engine.createContainer({ name, Image: config.CONTAINER_IMAGE, Cmd: ['sleep', '600'] });
    try {
      const before = await foreign.inspect();
      await expect(runtime.ensureSandbox(owner)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      await expect(runtime.removeSandbox(owner.key)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      expect(await find(runtime, owner.key)).toBeNull();
      expect((await foreign.inspect()).State).toEqual(before.State);
    } finally {
      await foreign.remove({ force: true });
    }
  });
});

describe('the Docker runtime, for the start of a container,', () => {
  it('gives the same start when it was paused', async () => {
    const owner = testOwner();
    const { id } = await runtime.ensureSandbox(owner);
    const first = await runtime.startOf(id);
    await container(owner.key).pause();
    await container(owner.key).unpause();
    expect(await runtime.startOf(id)).toEqual(first);
  });
});

describe('the Docker runtime, for an image,', () => {
  it('names the image and removes its container when the image has no sh', async () => {
    const name = `sandbox-api-test-empty-${randomBytes(4).toString('hex')}`;
    await importEmptyImage(name);
    const image = `${name}:1`;
    try {
      const owner = testOwner();
      const empty = createDockerRuntime(variant({ CONTAINER_IMAGE: image }));
      await expect(empty.ensureSandbox(owner)).rejects.toMatchObject({
        code: 'SANDBOX_IMAGE_UNUSABLE',
        message: expect.stringMatching(/has no sh/),
      });
      expect(await find(runtime, owner.key)).toBeNull();
    } finally {
      // gVisor's shim may hold the container a moment longer than the engine lists it.
      await eventually('the image is removed', () => engine.getImage(image).remove().then(Boolean));
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

describe('the Docker runtime, for the volume of a session,', () => {
  const persistent = variant({ WORKSPACE_PERSIST_VOLUMES: 'true' });
  const keeping = createDockerRuntime(persistent);
  const mine = (key: string) => ({ label: [`sandbox-api.session=${key}`] });

  it('leaves no helper container behind when it makes one', async () => {
    const owner = testOwner();
    await keeping.ensureSandbox(owner);
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toHaveLength(1);
    await keeping.removeSandbox(owner.key);
    expect(await keeping.removeVolume(owner.key)).toBe(true);
    await expect(engine.getVolume(volumeName(owner.key)).inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toEqual([]);
  });

  it('finishes one, and removes what was left, when its creator died', async () => {
    const owner = testOwner();
    await keeping.ensureSandbox(owner);
    const found = await container(owner.key).inspect();
    await keeping.removeSandbox(owner.key);
    await keeping.removeVolume(owner.key);
    await makeAgain(found, { name: containerName(owner.key) });
    await makeAgain(found, { Labels: { ...found.Config.Labels, 'sandbox-api.kind': 'volume-init' } });
    const { id } = await keeping.ensureSandbox(owner);
    expect((await sh(keeping, id, 'touch /workspace/file')).exitCode).toBe(0);
    await keeping.removeSandbox(owner.key);
    expect(await keeping.removeVolume(owner.key)).toBe(true);
    expect(await engine.listContainers({ all: true, filters: mine(owner.key) })).toEqual([]);
  });

  it('touches no volume when it is not ours', async () => {
    const owner = testOwner();
    const name = volumeName(owner.key);
    await engine.createVolume({ Name: name });
    try {
      await expect(keeping.ensureSandbox(owner)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      await expect(keeping.removeVolume(owner.key)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
      expect(await find(keeping, owner.key)).toBeNull();
    } finally {
      await engine.getVolume(name).remove();
    }
  });
});

describe('the Docker runtime, while the engine is away,', () => {
  const unavailable = { code: 'RUNTIME_UNAVAILABLE', retryAfter: 2, message: expect.not.stringContaining('/') };
  const silentPath = join(tmpdir(), `silent-engine-${randomBytes(4).toString('hex')}.sock`);
  let silent: Server;
  beforeAll((done) => {
    silent = createServer((socket) => socket.resume()).listen(silentPath, done);
  });
  // This ends only when all connections have ended. So no abandoned call leaves one behind.
  afterAll((done) => void silent.close(done));

  it.each([
    ['is not there', () => join(tmpdir(), 'no-engine.sock')],
    ['never answers', () => silentPath],
  ])('throws RUNTIME_UNAVAILABLE from every call when the engine %s', async (_, path) => {
    const away = createDockerRuntime(variant({ DOCKER_HOST: `unix://${path()}` }), { lifecycle: 200, call: 200, ping: 200 });
    const { key, userKey } = testOwner();
    const calls = [
      away.ensureSandbox({ key, userKey }),
      away.startOf('0'.repeat(64)),
      away.startProcess('0'.repeat(64), ['true']),
      away.removeSandbox(key),
      away.removeVolume(key),
      away.removeLostVolumes(),
      away.diskBound(),
      away.listSandboxes(),
      away.ping(),
      away.checkImage(),
    ];
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
  });

  it('works again when the engine answers again', async () => {
    await expect(runtime.ping()).resolves.toBeUndefined();
  });
});

describe('the Docker runtime, for options,', () => {
  it('makes the container as the options ask when a session has some', async () => {
    const owner = testOwner();
    await runtime.ensureSandbox(owner, { memory: '300m', cpus: 0.25, pids: 40 });
    const { HostConfig } = await container(owner.key).inspect();
    expect(HostConfig).toMatchObject({ Memory: 300 * 1024 ** 2, MemorySwap: 300 * 1024 ** 2, CpuQuota: 25_000, PidsLimit: 40 });
  });
});

describe('the Docker runtime, for pooled containers,', () => {
  it('gives a sandbox a name of its own when it waits', async () => {
    for (const { slot, name, id } of [await pooledIn(runtime, 0), await pooledIn(runtime, 1)])
      expect(name).toMatch(new RegExp(`-${slot!.number}-${id.slice(0, 12)}$`));
  });

  it('gives a session nothing when it has a volume', async () => {
    const persisting = createDockerRuntime(variant({ ALLOW_PERSISTENT_SESSIONS: 'true' }));
    const kept = testOwner();
    await persisting.ensureSandbox(kept, { persistent: true });
    await persisting.removeSandbox(kept.key);
    expect(await persisting.isVacant(kept.key)).toBe(false);
    expect(await persisting.isVacant(testOwner().key)).toBe(true);
  });

  it('finishes one when its maker died, and replaces one when it ended', async () => {
    const first = await pooledIn(runtime, 0);
    await engine.getContainer(first.id).kill();
    // The engine's list shows the end a little later than the call to kill returns.
    const list = () => engine.listContainers({ all: true, filters: { id: [first.id] } });
    await eventually('it is listed as ended', async () => (await list())[0]?.State === 'exited');
    const second = await pooledIn(runtime, 0);
    expect(second.id).not.toBe(first.id);
    await expect(engine.getContainer(first.id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    const found = await engine.getContainer(second.id).inspect();
    expect(await runtime.discardSandbox(second)).toBe(true);
    const { id } = await makeAgain(found, { name: second.name.replace(/-[0-9a-f]{12}$/, '') });
    // Its maker may still be at work on it. So for some time, others leave it alone.
    expect(await pooledIn(runtime, 0)).toBeUndefined();
    await sleep(10_000);
    expect(await pooledIn(runtime, 0)).toMatchObject({ id, slot: { current: true } });
  });
});
