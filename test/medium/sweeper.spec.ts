import { randomUUID } from 'node:crypto';
import { type Config, loadConfig } from '@sandbox/config';
import { createDockerRuntime, type Sandbox, type SandboxRuntime, Sweeper } from '@sandbox/orchestrator';
import { createSessionStore, sessionRef, type SessionRef, type SessionStore } from '@sandbox/sessions';
import { find, pooledIn, removeDeployment, sh, testConfig, testEngine } from '../support/adapters/docker';
import { replaceMethods } from '../support/adapters/replace-methods';
import { TestRedis } from '../support/service/processes';

/** The engine, the containers and Redis are real. The tests set only the sweeper's clock. */

jest.setTimeout(120_000);

const TTL = 600_000;
const MAX_AGE = 900_000;
const SECOND = 1_000;
const engine = testEngine();
const quiet = { log: jest.fn(), warn: jest.fn() };

let redis: TestRedis;
let config: Config;
let store: SessionStore;
let runtime: SandboxRuntime;
/** The time on the sweepers' clock, in milliseconds. */
let now: number;

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

beforeEach(async () => {
  config = testConfig({
    SESSION_STORE: 'redis',
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(redis.port),
    SESSION_TTL_SECONDS: String(TTL / 1000),
    CLEANUP_MAX_CONTAINER_AGE_SECONDS: String(MAX_AGE / 1000),
  });
  store = createSessionStore(config);
  runtime = createDockerRuntime(config);
  now = Date.now();
  jest.clearAllMocks();
});
afterEach(async () => {
  await store.disconnect();
  await removeDeployment(engine, config);
});

function sweeper(over: { store?: SessionStore; runtime?: SandboxRuntime } = {}): Sweeper {
  return new Sweeper(over.store ?? store, over.runtime ?? runtime, config, quiet, () => now);
}

function someRef(): SessionRef {
  return sessionRef(config.DEPLOYMENT, { id: 'jwt:alice' }, randomUUID());
}

/** Begins a session with a sandbox and a call in it that may last until `deadline`. */
async function inUse(deadline = now + SECOND): Promise<{ ref: SessionRef; sandbox: Sandbox; finish: () => Promise<void> }> {
  const ref = someRef();
  const hold = { callId: randomUUID(), deadline };
  const begun = await store.beginCall(ref, hold, now);
  if (begun.state !== 'live') throw new Error('the session is closing');
  const { generation } = begun.record;
  const sandbox = await runtime.ensureSandbox(ref);
  await store.attachSandbox(ref.key, generation, { containerId: sandbox.id, startId: 's', origin: 'made', image: sandbox.image });
  return { ref, sandbox, finish: () => store.endCall(ref.key, generation, hold.callId, now) };
}

async function idle(): Promise<{ ref: SessionRef; sandbox: Sandbox }> {
  const session = await inUse();
  await session.finish();
  return session;
}

const isThere = async ({ ref }: { ref: SessionRef }): Promise<boolean> => (await find(runtime, ref.key)) !== null;
const nothing = { expired: 0, unknown: 0, volumes: 0, failed: 0, complete: true };

describe('the sweeper, for expired sessions,', () => {
  it('removes sandbox and record, and logs it, when a session has expired', async () => {
    const session = await idle();
    expect(await sweeper().sweep()).toEqual(nothing);
    now += TTL;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 1 });
    expect(await isThere(session)).toBe(false);
    expect((await store.beginCall(session.ref, { callId: 'c', deadline: now }, now)).state).toBe('live');
    expect(quiet.log).toHaveBeenCalledWith({
      msg: 'sandbox removed',
      reason: 'expired',
      sandbox_key: session.ref.key.slice(0, 12),
      container: session.sandbox.id.slice(0, 12),
      age_seconds: expect.any(Number),
    });
  });

  it('removes the record when the container is gone or stopped', async () => {
    const [gone, stopped] = [await idle(), await idle()];
    await runtime.removeSandbox(gone.ref.key);
    await engine.getContainer(stopped.sandbox.id).stop({ t: 0 });
    now += TTL;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 2 });
    expect(await isThere(stopped)).toBe(false);
    expect(await store.listExpired(now, 10)).toEqual([]);
  });

  it('keeps the volume when a session has one', async () => {
    config = loadConfig({ ...environment(config), WORKSPACE_PERSIST_VOLUMES: 'true' }, { needsAuth: false });
    runtime = createDockerRuntime(config);
    const session = await idle();
    await sh(runtime, session.sandbox.id, 'echo kept > /workspace/file');
    now += TTL;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 1 });
    expect(await isThere(session)).toBe(false);
    const again = await runtime.ensureSandbox(session.ref);
    expect((await sh(runtime, again.id, 'cat /workspace/file')).stdout).toBe('kept\n');
  });

  it('finishes a removal when another process did not', async () => {
    const session = await idle();
    await store.closeSession(session.ref.key, 'always', now, now + SECOND);
    expect(await sweeper().sweep()).toEqual(nothing);
    now += SECOND;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 1 });
    expect(await isThere(session)).toBe(false);
  });
});

describe('the sweeper, for sandboxes of the pool,', () => {
  it('removes a sandbox when no process keeps it any more', async () => {
    const pooled = await pooledIn(runtime, 0);
    const there = async (): Promise<boolean> => (await runtime.listSandboxes()).some(({ id }) => id === pooled.id);
    const sweeping = sweeper();
    for (let round = 0; round < 3; round++, now += MAX_AGE) {
      await store.keepPooled([pooled.id], now + SECOND);
      expect(await sweeping.sweep()).toEqual(nothing);
    }
    expect(await sweeping.sweep()).toEqual(nothing);
    now += MAX_AGE;
    expect(await sweeping.sweep()).toEqual({ ...nothing, unknown: 1 });
    expect(await there()).toBe(false);
  });

  it('removes no sandbox when a session claims it meanwhile', async () => {
    const pooled = await pooledIn(runtime, 0);
    const ref = someRef();
    const slow = replaceMethods(runtime, {
      discardSandbox: async (sandbox: Sandbox) => {
        await runtime.claimSandbox(ref, sandbox);
        return runtime.discardSandbox(sandbox);
      },
    });
    const sweeping = sweeper({ runtime: slow });
    await sweeping.sweep();
    now += MAX_AGE;
    expect(await sweeping.sweep()).toEqual(nothing);
    expect(await find(runtime, ref.key)).toMatchObject({ id: pooled.id });
  });

  it('removes a sandbox with its session when it was claimed', async () => {
    const pooled = await pooledIn(runtime, 0);
    const ref = someRef();
    const hold = { callId: randomUUID(), deadline: now + SECOND };
    const begun = await store.beginCall(ref, hold, now);
    if (begun.state !== 'live') throw new Error(begun.state);
    const sandbox = await runtime.claimSandbox(ref, pooled);
    if (!sandbox) throw new Error('not claimed');
    await store.attachSandbox(ref.key, begun.record.generation, {
      containerId: sandbox.id,
      startId: 's',
      origin: 'made',
      image: sandbox.image,
    });
    await store.endCall(ref.key, begun.record.generation, hold.callId, now);
    const sweeping = sweeper();
    now += TTL - 1;
    expect(await sweeping.sweep()).toEqual(nothing);
    now += 1;
    expect(await sweeping.sweep()).toEqual({ ...nothing, expired: 1 });
    expect(await find(runtime, ref.key)).toBeNull();
  });
});

describe('the sweeper, for sessions in use,', () => {
  it('removes no session when a call is in it, however long', async () => {
    const session = await inUse(now + 10 * TTL);
    now += 9 * TTL;
    expect(await sweeper().sweep()).toEqual(nothing);
    expect(await isThere(session)).toBe(true);
    await session.finish();
    now += TTL - 1;
    expect(await sweeper().sweep()).toEqual(nothing);
    now += 1;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 1 });
  });

  it('removes no session when a call comes after it was found expired', async () => {
    const session = await idle();
    now += TTL;
    // A call enters after the store has answered, and before the sweeper acts on the answer.
    const slow = replaceMethods(store, {
      listExpired: async (at: number, limit: number) => {
        const keys = await store.listExpired(at, limit);
        await store.beginCall(session.ref, { callId: randomUUID(), deadline: now }, now);
        return keys;
      },
    });
    expect(await sweeper({ store: slow }).sweep()).toEqual(nothing);
    expect(await isThere(session)).toBe(true);
  });

  it('removes no session when the store was flushed and calls have told it again', async () => {
    const session = await inUse(now + 10 * TTL);
    const sweeping = sweeper();
    await redis.flush();
    // The sandbox is old, and unknown to the store. But the sweeper has only just noticed that.
    now += 2 * MAX_AGE;
    expect(await sweeping.sweep()).toEqual(nothing);
    await store.beginCall(session.ref, { callId: randomUUID(), deadline: now + 10 * TTL }, now);
    now += MAX_AGE;
    expect(await sweeping.sweep()).toEqual(nothing);
    // The store knew it in between. So the sweeper's wait starts again.
    await redis.flush();
    now += SECOND;
    expect(await sweeping.sweep()).toEqual(nothing);
    expect(await isThere(session)).toBe(true);
  });
});

describe('the sweeper, for sandboxes that no session knows,', () => {
  it('removes one when it was unknown for the time set', async () => {
    const ref = someRef();
    const sandbox = await runtime.ensureSandbox(ref);
    const sweeping = sweeper();
    now = sandbox.createdAt + 10 * SECOND;
    expect(await sweeping.sweep()).toEqual(nothing);
    now += MAX_AGE - 1;
    expect(await sweeping.sweep()).toEqual(nothing);
    expect(await isThere({ ref })).toBe(true);
    now += 1;
    expect(await sweeping.sweep()).toEqual({ ...nothing, unknown: 1 });
    expect(await isThere({ ref })).toBe(false);
    expect(quiet.log).toHaveBeenCalledWith(expect.objectContaining({ reason: 'unknown', container: sandbox.id.slice(0, 12) }));
  });

  it('removes a helper container when its process died while making a volume', async () => {
    const labels = { 'sandbox-api.deployment': config.DEPLOYMENT, 'sandbox-api.kind': 'volume-init', 'sandbox-api.session': someRef().key };
    const helper = await engine.createContainer({ Image: config.CONTAINER_IMAGE, Cmd: ['sh'], Labels: labels });
    const sweeping = sweeper();
    expect(await sweeping.sweep()).toEqual(nothing);
    now += MAX_AGE + SECOND;
    expect(await sweeping.sweep()).toEqual({ ...nothing, unknown: 1 });
    await expect(helper.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('removes none when a call comes after the store was asked', async () => {
    const ref = someRef();
    await runtime.ensureSandbox(ref);
    const late = replaceMethods(store, {
      findKnown: async (keys: string[], at: number) => {
        const known = await store.findKnown(keys, at);
        if (now > start) await store.beginCall(ref, { callId: randomUUID(), deadline: now }, now);
        return known;
      },
    });
    const start = now;
    const sweeping = sweeper({ store: late });
    await sweeping.sweep();
    now += 2 * MAX_AGE;
    expect(await sweeping.sweep()).toEqual(nothing);
    expect(await isThere({ ref })).toBe(true);
  });

  it('sees none when it is of another deployment', async () => {
    const other = testConfig();
    const theirs = createDockerRuntime(other);
    const owner = someRef();
    try {
      await theirs.ensureSandbox(owner);
      const sweeping = sweeper();
      await sweeping.sweep();
      now += 2 * MAX_AGE;
      expect(await sweeping.sweep()).toEqual(nothing);
      expect(await find(theirs, owner.key)).not.toBeNull();
    } finally {
      await removeDeployment(engine, other);
    }
  });
});

describe('two sweepers', () => {
  it('remove each sandbox once when they sweep at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, () => idle()));
    now += TTL;
    const otherStore = createSessionStore(config);
    const reports = await Promise.all([sweeper().sweep(), sweeper({ store: otherStore }).sweep()]);
    await otherStore.disconnect();
    expect(reports[0].expired + reports[1].expired).toBe(6);
    expect(reports.map(({ failed, complete }) => ({ failed, complete }))).toEqual([
      { failed: 0, complete: true },
      { failed: 0, complete: true },
    ]);
    for (const session of sessions) expect(await isThere(session)).toBe(false);
  });

  it('share a sweep when they are one in one process', async () => {
    await idle();
    now += TTL;
    const sweeping = sweeper();
    const [first, second] = await Promise.all([sweeping.sweep(), sweeping.sweep()]);
    expect(first).toEqual({ ...nothing, expired: 1 });
    expect(second).toBe(first);
  });
});

describe('the sweeper, while something is away,', () => {
  it('reports an incomplete sweep, and closes no session, when Docker is away', async () => {
    const session = await idle();
    now += TTL;
    const nowhere = createDockerRuntime(
      loadConfig({ ...environment(config), DOCKER_HOST: 'unix:///nonexistent/docker.sock' }, { needsAuth: false }),
    );
    expect(await sweeper({ runtime: nowhere }).sweep()).toEqual({ ...nothing, complete: false });
    expect((await store.beginCall(session.ref, { callId: 'c', deadline: now }, now)).state).toBe('live');
    expect(quiet.warn).toHaveBeenCalledTimes(1);
  });

  it('ends a sweep, and finishes it later, when Docker goes away meanwhile', async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, () => idle()));
    now += TTL;
    const nowhere = createDockerRuntime(
      loadConfig({ ...environment(config), DOCKER_HOST: 'unix:///nonexistent/docker.sock' }, { needsAuth: false }),
    );
    const breaking = replaceMethods(nowhere, { listSandboxes: () => runtime.listSandboxes() });
    const report = await sweeper({ runtime: breaking }).sweep();
    expect(report).toMatchObject({ expired: 0, complete: false });
    // Only the removals that were already under way fail. No other is begun.
    expect(report.failed).toBe(4);
    now += 60 * SECOND;
    expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 6 });
    for (const session of sessions) expect(await isThere(session)).toBe(false);
  });

  it('reports an incomplete sweep when the store is away', async () => {
    const session = await idle();
    now += TTL;
    await redis.down();
    try {
      expect(await sweeper().sweep()).toEqual({ ...nothing, complete: false });
      expect(await isThere(session)).toBe(true);
    } finally {
      await redis.up();
    }
  });

  it('removes the others when one sandbox cannot be removed', async () => {
    const [stuck, ...others] = await Promise.all(Array.from({ length: 6 }, () => idle()));
    now += TTL;
    const choosy = replaceMethods(runtime, {
      removeSandbox: (key: string) => (key === stuck!.ref.key ? Promise.reject(new Error('device busy')) : runtime.removeSandbox(key)),
    });
    expect(await sweeper({ runtime: choosy }).sweep()).toEqual({ ...nothing, expired: 5, failed: 1 });
    for (const session of others) expect(await isThere(session)).toBe(false);
    expect(quiet.warn).toHaveBeenCalledWith(expect.objectContaining({ sandbox_key: stuck!.ref.key.slice(0, 12) }));
  });
});

it('the sweeper finishes the removals under way, and begins no other, when it is stopped', async () => {
  await Promise.all(Array.from({ length: 8 }, () => idle()));
  now += TTL;
  let began!: () => void;
  const removing = new Promise<void>((resolve) => (began = resolve));
  const told = replaceMethods(runtime, {
    removeSandbox: (key: string) => {
      began();
      return runtime.removeSandbox(key);
    },
  });
  const stopping = sweeper({ runtime: told });
  const swept = stopping.sweep();
  await removing;
  await stopping.stopSweeping();
  const report = await swept;
  expect(report).toMatchObject({ failed: 0, complete: false });
  expect(report.expired).toBeLessThan(8);
  expect(await runtime.listSandboxes()).toHaveLength(8 - report.expired);
  expect(await sweeper().sweep()).toEqual({ ...nothing, expired: 8 - report.expired });
});

function environment({ DEPLOYMENT, CONTAINER_IMAGE, DOCKER_HOST, REDIS_PORT }: Config): Record<string, string> {
  return {
    DEPLOYMENT,
    CONTAINER_IMAGE,
    DOCKER_HOST,
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(REDIS_PORT),
    SESSION_TTL_SECONDS: String(TTL / 1000),
  };
}
