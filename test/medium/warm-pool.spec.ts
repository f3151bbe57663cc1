import type { Config } from '@sandbox/config';
import { createDockerRuntime, type SandboxRuntime, WarmPool } from '@sandbox/orchestrator';
import { createSessionStore, type SessionStore } from '@sandbox/sessions';
import { eventually, TestRedis } from '../e2e/support/processes';
import { removeDeployment, sh, testConfig, testEngine, testOwner } from './support/docker';

/** Two processes' pools over one engine and one Redis, all real. */

jest.setTimeout(60_000);

const engine = testEngine();
let redis: TestRedis;
let config: Config;
let store: SessionStore;
let runtime: SandboxRuntime;
let pools: [WarmPool, WarmPool];

const filled = (pool: WarmPool) => eventually('the pool is filled', async () => pool.state.size === config.POOL_SIZE);

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
  await Promise.all(pools.map(filled));
});
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.beforeApplicationShutdown()));
  await store.disconnect();
  await removeDeployment(engine, config);
});

it('never gives a channel into a sandbox that another process has claimed', async () => {
  const [mine, theirs] = pools;
  const first = await theirs.claim(testOwner());
  await sh(runtime, first!.sandbox.id, 'touch /workspace/theirs');
  // They fill the slot again, before this pool has looked: its channel still leads into what was there.
  await filled(theirs);
  const second = await mine.claim(testOwner());
  expect(second!.sandbox.id).not.toBe(first!.sandbox.id);
  const entries: Buffer[] = [];
  const list = { op: 'list', path: '', depth: 1, limit: 10 } as const;
  await second!.channel?.call(list, { onOutput: (_stream, chunk) => void entries.push(chunk), deadlineMs: 5_000 });
  expect(Buffer.concat(entries).toString()).not.toContain('theirs');
  for (const { channel } of [first!, second!]) channel?.close();
});

it('counts what it gave, and what it could not', async () => {
  const [pool, other] = pools;
  (await pool.claim(testOwner()))!.channel!.close();
  // Its channel is there, what it leads into is not.
  expect(await other.claim(testOwner())).toBeNull();
  expect(pool.state).toMatchObject({ hits: 1, misses: 0 });
  expect(other.state).toMatchObject({ hits: 0, misses: 1, size: 0 });
  await Promise.all(pools.map(filled));
});

it('goes on once the engine is back', async () => {
  const broken = { ...testConfig({ DEPLOYMENT: config.DEPLOYMENT, POOL_SIZE: '1', DOCKER_HOST: 'unix:///nothing/there.sock' }) };
  const away = createDockerRuntime(broken);
  let current: SandboxRuntime = away;
  const flapping = new Proxy({} as SandboxRuntime, { get: (_, name) => current[name as keyof SandboxRuntime].bind(current) });
  const pool = new WarmPool(config, store, flapping);
  pool.onApplicationBootstrap();
  expect(await pool.claim(testOwner())).toBeNull();
  current = runtime;
  await filled(pool);
  await pool.beforeApplicationShutdown();
});
