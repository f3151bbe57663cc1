import { loadConfig } from '@sandbox/config';
import { createSessionStore, type SessionStore } from '@sandbox/sessions';
import { StoreRateLimitStorage } from '../../apps/api/src/rate-limit/store-rate-limit.storage';
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

  const openStore = (more: Record<string, string> = {}): SessionStore =>
    createSessionStore(loadConfig({ ...env, ...more }, { needsAuth: false }));

  it.each(['memory', 'redis'])('starts a new count when the window is over (%s)', async (kind) => {
    const store = openStore({ SESSION_STORE: kind, RATE_LIMIT_WINDOW_SECONDS: '1' });
    const storage = new StoreRateLimitStorage(store);
    try {
      const hit = (user: string): ReturnType<typeof storage.increment> => storage.increment(user, 1000, 2);
      expect(await hit('a')).toMatchObject({ totalHits: 1, isBlocked: false, timeToExpire: 1 });
      expect(await hit('a')).toMatchObject({ totalHits: 2, isBlocked: false });
      expect(await hit('a')).toMatchObject({ totalHits: 3, isBlocked: true, timeToBlockExpire: 1 });
      expect(await hit('b')).toMatchObject({ totalHits: 1, isBlocked: false });
      await eventually('the window ends', async () => !(await hit('a')).isBlocked);
    } finally {
      await store.disconnect();
    }
  });

  it('counts each deployment by itself, and sets an expiry when a count has none', async () => {
    const [one, two] = [openStore({ DEPLOYMENT: 'one' }), openStore({ DEPLOYMENT: 'two' })];
    try {
      await one.countRequest('a', 1, WINDOW_MS);
      expect((await two.countRequest('a', 1, WINDOW_MS)).hits).toBe(1);
      const [key] = /\S*one\S*/.exec(await redis.send('KEYS *one*'))!;
      await redis.send(`PERSIST ${key}`);
      expect((await one.countRequest('a', 1, WINDOW_MS)).remainingMs).toBe(WINDOW_MS);
    } finally {
      for (const store of [one, two]) await store.disconnect();
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
