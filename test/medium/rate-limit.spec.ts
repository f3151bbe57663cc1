import { loadConfig } from '@sandbox/config';
import { MemoryRateLimitStorage } from '../../apps/api/src/rate-limit/memory-rate-limit.storage';
import { RedisRateLimitStorage } from '../../apps/api/src/rate-limit/redis-rate-limit.storage';
import { eventually, TestRedis } from '../support/service/processes';
import { API_KEY, TestApp } from '../support/test-app';

/** Real: Redis, of this suite's own, and the API's transport. Fake: the core below it. */

jest.setTimeout(60_000);

const WINDOW_MS = 60_000;

describe('the rate limit', () => {
  let redis: TestRedis;
  let env: Record<string, string>;

  beforeAll(async () => {
    redis = await TestRedis.start();
    env = {
      DEPLOYMENT: 'rate-limit-spec',
      SESSION_STORE: 'redis',
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redis.port),
      RATE_LIMIT_REQUESTS: '10',
    };
  });
  beforeEach(() => redis.flush());
  afterAll(() => redis.stop());

  it.each(['memory', 'redis'])('starts a new count when the window is over (%s)', async (store) => {
    const config = loadConfig({ ...env, SESSION_STORE: store }, { needsAuth: false });
    const storage = store === 'redis' ? new RedisRateLimitStorage(config) : new MemoryRateLimitStorage(1);
    try {
      const hit = (user: string): ReturnType<typeof storage.increment> => storage.increment(user, 1000, 2);
      expect(await hit('a')).toMatchObject({ totalHits: 1, isBlocked: false, timeToExpire: 1 });
      expect(await hit('a')).toMatchObject({ totalHits: 2, isBlocked: false });
      expect(await hit('a')).toMatchObject({ totalHits: 3, isBlocked: true, timeToBlockExpire: 1 });
      expect(await hit('b')).toMatchObject({ totalHits: 1, isBlocked: false });
      await eventually('the window ends', async () => !(await hit('a')).isBlocked);
    } finally {
      if (storage instanceof RedisRateLimitStorage) storage.onApplicationShutdown();
    }
  });

  it('counts each deployment by itself, and sets an expiry when a count has none', async () => {
    const storages = ['one', 'two'].map(
      (DEPLOYMENT) => new RedisRateLimitStorage(loadConfig({ ...env, DEPLOYMENT }, { needsAuth: false })),
    );
    const [one, two] = storages as [RedisRateLimitStorage, RedisRateLimitStorage];
    try {
      await one.increment('a', WINDOW_MS, 1);
      expect((await two.increment('a', WINDOW_MS, 1)).totalHits).toBe(1);
      const [key] = /\S*one\S*/.exec(await redis.send('KEYS *one*'))!;
      await redis.send(`PERSIST ${key}`);
      expect((await one.increment('a', WINDOW_MS, 1)).timeToExpire).toBe(60);
    } finally {
      for (const storage of storages) storage.onApplicationShutdown();
    }
  });

  it('gives a user exactly one budget when calls go to several replicas', async () => {
    const fakes = { sessions: { listSessions: async () => [] } };
    const apps = await Promise.all([TestApp.start(fakes, env), TestApp.start(fakes, env)]);
    try {
      const responses = await Promise.all(Array.from({ length: 30 }, (_, i) => apps[i % 2]!.fetch('/sessions')));
      const statuses = responses.map((response) => response.status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(10);
      expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    } finally {
      await Promise.all(apps.map((app) => app.stop()));
    }
  });

  it('answers 503 while Redis hangs or is away, and counts again when it is back', async () => {
    const app = await TestApp.start({ sessions: { listSessions: async () => [] } }, { ...env, RATE_LIMIT_REQUESTS: '1000' });
    const outcome = async (): Promise<unknown> => {
      const response = await app.fetch('/sessions', { headers: { 'X-API-Key': API_KEY } });
      const body = (await response.json()) as { code?: string };
      return [response.status, body.code, response.headers.has('retry-after')];
    };
    const unavailable = [503, 'STORE_UNAVAILABLE', true];
    const works = async (): Promise<boolean> => ((await outcome()) as [number])[0] === 200;
    try {
      await eventually('it works', works);
      redis.signal('SIGSTOP');
      expect(await outcome()).toEqual(unavailable);
      redis.signal('SIGCONT');
      await eventually('it works again', works);
      await redis.down();
      expect(await outcome()).toEqual(unavailable);
      // /health does not depend on the limit.
      expect((await fetch(`${app.url}/health`)).status).toBe(200);
      await redis.up();
      await eventually('it works again', works);
    } finally {
      await app.stop();
    }
  });
});
