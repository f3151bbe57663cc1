import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@sandbox/config';
import { createDockerRuntime, type SandboxRuntime, WarmPool } from '@sandbox/orchestrator';
import { createSessionStore, type SessionStore } from '@sandbox/sessions';
import { eventually, TestRedis } from '../support/service/processes';
import { find, removeDeployment, sh, testConfig, testEngine, testOwner } from '../support/adapters/docker';
import { replaceMethods } from '../support/adapters/replace-methods';

/** Tests the pools of two processes that share one engine and one Redis. All of them are real. */

jest.setTimeout(180_000);

/** What the agent makes in a sandbox that is claimed. */
const [, MARK] = /^_MARK = "(.+)"$/m.exec(readFileSync(join(__dirname, '../../agent/supervisor/claim_mark.py'), 'utf8'))!;

const engine = testEngine();
let redis: TestRedis;
let config: Config;
let store: SessionStore;
let runtime: SandboxRuntime;
let pools: [WarmPool, WarmPool];

const filled = (pool: WarmPool) => eventually('the pool is filled', async () => pool.state.size === config.POOL_SIZE);
const waiting = async () => (await runtime.listSandboxes()).filter(({ slot }) => slot !== null);
/**
 * Waits until every process has a channel into the same sandboxes. One too many is removed after a
 * while, and then its channels close.
 */
const settled = async (): Promise<void> => {
  let since = 0;
  await eventually(
    'the pools agree',
    async () => {
      const agree = (await waiting()).length === config.POOL_SIZE && pools.every((pool) => pool.state.size === config.POOL_SIZE);
      since = agree ? since || Date.now() : 0;
      return agree && Date.now() - since > 500;
    },
    45,
  );
};

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

beforeEach(async () => {
  config = testConfig({ SESSION_STORE: 'redis', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), POOL_SIZE: '1' });
  store = createSessionStore(config);
  runtime = createDockerRuntime(config);
  pools = [new WarmPool(config, store, runtime), new WarmPool(config, store, runtime)];
  for (const pool of pools) pool.onApplicationBootstrap();
  await settled();
});
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.beforeApplicationShutdown()));
  await store.disconnect();
  await removeDeployment(engine, config);
});

it('gives a sandbox to one session when processes claim it at once', async () => {
  // If several renames of one container come at once, the engine does several. So it alone cannot
  // decide who wins.
  for (let round = 0; round < 3; round++) {
    await settled();
    const owners = pools.map(() => testOwner());
    const claims = await Promise.all(pools.map((pool, n) => pool.claimSandbox(owners[n]!)));
    const had = claims.filter((claim) => claim !== null);
    expect(had).toHaveLength(1);
    const owner = owners[claims.findIndex((claim) => claim !== null)]!;
    expect(await find(runtime, owner.key)).toMatchObject({ id: had[0]!.sandbox.id });
    had[0]!.channel.close();
    await runtime.removeSandbox(owner.key);
  }
});

it('removes a sandbox when its claimant died during the claim', async () => {
  const [pool] = pools;
  const stuck = (await waiting())[0]!;
  // The agent has told the claimant that it is the first. It dies before it renames the sandbox.
  let died!: () => void;
  const dying = new Promise<void>((resolve) => (died = resolve));
  const claimant = new WarmPool(config, store, replaceMethods(runtime, { claimSandbox: () => (died(), new Promise(() => undefined)) }));
  claimant.onApplicationBootstrap();
  await filled(claimant);
  void claimant.claimSandbox(testOwner());
  await dying;
  await claimant.beforeApplicationShutdown();
  expect((await waiting()).map(({ id }) => id)).toContain(stuck.id);
  // The clock is moved right after the claim. So the refill that the claim begins sees a claim of
  // long ago.
  const now = performance.now.bind(performance);
  let later = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + later);
  try {
    expect(await pool.claimSandbox(testOwner())).toBeNull();
    later = 16_000;
    await eventually('another waits', async () => !(await waiting()).some(({ id }) => id === stuck.id));
    await filled(pool);
  } finally {
    clock.mockRestore();
  }
});

it('gives no sandbox when another process has claimed it, whatever its commands do', async () => {
  const [mine, theirs] = pools;
  const first = await theirs.claimSandbox(testOwner());
  expect(await sh(runtime, first!.sandbox.id, `rmdir ${MARK}`)).toMatchObject({ exitCode: 0 });
  // The other pool creates another one before this pool has refreshed. So this pool’s channel still
  // leads into the old one.
  await filled(theirs);
  const second = await mine.claimSandbox(testOwner());
  expect(second?.sandbox.id).not.toBe(first!.sandbox.id);
  for (const claimed of [first, second]) claimed?.channel.close();
});

it('claims nothing for a session when it had a sandbox before the store was flushed', async () => {
  const [before, since] = [testOwner(), testOwner()];
  const { id } = await runtime.ensureSandbox(before);
  const restarted = new WarmPool(config, store, runtime);
  restarted.onApplicationBootstrap();
  try {
    await filled(restarted);
    const waits = (await waiting()).map((sandbox) => sandbox.id);
    expect(await restarted.claimSandbox(before)).toBeNull();
    expect(restarted.state).toEqual({ size: 1, hits: 0, misses: 0 });
    expect((await waiting()).map((sandbox) => sandbox.id)).toEqual(waits);
    expect(await find(runtime, before.key)).toMatchObject({ id });
    const newer = await runtime.ensureSandbox(since);
    expect(await restarted.claimSandbox(since)).toBeNull();
    expect(await find(runtime, since.key)).toMatchObject({ id: newer.id });
    expect(restarted.state.hits).toBe(0);
  } finally {
    await restarted.beforeApplicationShutdown();
  }
});

it('counts a hit when a sandbox waits, and a miss when none does', async () => {
  const [pool, other] = pools;
  (await pool.claimSandbox(testOwner()))!.channel!.close();
  // The other pool still has a channel, but the sandbox at its end has been taken.
  expect(await other.claimSandbox(testOwner())).toBeNull();
  expect(pool.state).toMatchObject({ hits: 1, misses: 0 });
  expect(other.state).toMatchObject({ hits: 0, misses: 1, size: 0 });
  await settled();
});

it('fills the pool again when the engine is back', async () => {
  const broken = { ...testConfig({ DEPLOYMENT: config.DEPLOYMENT, POOL_SIZE: '1', DOCKER_HOST: 'unix:///nothing/there.sock' }) };
  const away = createDockerRuntime(broken);
  let current: SandboxRuntime = away;
  const flapping = new Proxy({} as SandboxRuntime, {
    get: (_, name) => {
      const member: unknown = current[name as keyof SandboxRuntime];
      return typeof member === 'function' ? (member.bind(current) as unknown) : member;
    },
  });
  const pool = new WarmPool(config, store, flapping);
  pool.onApplicationBootstrap();
  expect(await pool.claimSandbox(testOwner())).toBeNull();
  current = runtime;
  await filled(pool);
  await pool.beforeApplicationShutdown();
});
