import { eventually, TestRedis } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, BOB, Service, startCleanup } from '../support/service/service';

jest.setTimeout(180_000);

const POOL_SIZE = 3;
const env = { POOL_SIZE: String(POOL_SIZE), CLEANUP_INTERVAL_SECONDS: '1' };

interface Pool {
  size: number;
  hits: number;
  misses: number;
}

async function poolOf(service: Service): Promise<Pool> {
  return ((await (await fetch(`${service.url}/ready`)).json()) as { pool: Pool }).pool;
}

const full = (service: Service) => eventually('the pool is full', async () => (await poolOf(service)).size === POOL_SIZE);

describe('The pool of two processes', () => {
  const deployment = new TestDeployment();
  let redis: TestRedis;
  let services: Service[];

  const start = (more = {}) => Service.start({ deployment, redis, env: { ...env, ...more } });
  const waiting = async (): Promise<string[]> =>
    (await deployment.containers())
      .filter(({ slot }) => slot !== null)
      .map(({ Id }) => Id.slice(0, 12))
      .sort();

  beforeAll(async () => {
    redis = await TestRedis.start();
    services = await Promise.all([start(), start()]);
  });
  beforeEach(async () => {
    // Two processes that begin at once may each make one sandbox too many, which is removed later.
    // Once one waits in each slot and both processes know all of them, neither makes another.
    await eventually('one waits in each slot, for both', async () => {
      const slots = (await deployment.containers()).map(({ slot }) => slot).filter((slot) => slot !== null);
      const pools = await Promise.all(services.map(poolOf));
      return slots.length === POOL_SIZE && new Set(slots).size === POOL_SIZE && pools.every(({ size }) => size === POOL_SIZE);
    });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop('SIGKILL')));
    await redis.stop();
    await deployment.removeAll();
  });

  it('is filled again when both have taken from it', async () => {
    const before = await waiting();
    expect(before).toHaveLength(POOL_SIZE);
    const { hits } = await poolOf(services[0]!);
    const begun = Date.now();
    const { container_id, session_restarted } = await services[0]!.client(ALICE).run('taken', 'echo mine > file');
    expect(before).toContain(container_id);
    expect(session_restarted).toBe(false);
    expect(await poolOf(services[0]!)).toMatchObject({ hits: hits + 1, misses: 0 });
    // Both processes treat the sandbox as one that was made for this session.
    expect(await services[1]!.client(ALICE).run('taken', 'cat file')).toMatchObject({
      stdout: 'mine\n',
      container_id,
      session_restarted: false,
    });
    // The session is younger than its sandbox. The 50 ms allow for the store's clock.
    const { body } = await services[1]!.client(ALICE).request<{ created_at: string }>('GET', '/sessions/taken');
    expect(Date.parse(body.created_at)).toBeGreaterThanOrEqual(begun - 50);
    await Promise.all(services.map(full));
    const after = await eventually('so many wait', async () => {
      const now = await waiting();
      return now.length === POOL_SIZE && now;
    });
    expect(after).not.toContain(container_id);
    await services[1]!.client(ALICE).deleteSession('taken');
    // Both processes fill the pool again, so there may be one sandbox too many for a moment.
    await eventually('as many are left as wait', async () => {
      const all = (await deployment.containers()).map(({ Id }) => Id.slice(0, 12)).sort();
      return all.length === POOL_SIZE && !all.includes(container_id) && String(all) === String(await waiting());
    });
  });

  it('gives no sandbox twice when both processes take from it at once', async () => {
    const sessions = Array.from({ length: 10 }, (_, n) => ({ service: services[n % 2]!, key: n % 4 < 2 ? ALICE : BOB, id: `burst${n}` }));
    const results = await Promise.all(sessions.map(({ service, key, id }) => service.client(key).run(id, `echo ${id} >> who; cat who`)));
    results.forEach(({ stdout }, n) => expect(stdout).toBe(`burst${n}\n`));
    expect(new Set(results.map(({ container_id }) => container_id)).size).toBe(10);
    // Asks the other process, which had channels into all sandboxes that waited.
    const again = await Promise.all(sessions.map(({ key, id }, n) => services[(n + 1) % 2]!.client(key).run(id, 'cat who')));
    again.forEach(({ stdout }, n) => expect(stdout).toBe(`burst${n}\n`));
    await Promise.all(sessions.map(({ service, key, id }) => service.client(key).deleteSession(id)));
  });

  it('gives nothing when a session asks for something else', async () => {
    const before = await waiting();
    const made = await services[0]!.client(ALICE).request<{ container_id: string }>('POST', '/sessions', { session_id: 'own', cpus: 0.4 });
    expect(before).not.toContain(made.body.container_id);
    // A session that asks for exactly what the pool's sandboxes have gets one of them.
    const usual = { session_id: 'usual', memory: '262144k', cpus: 0.5, ttl_seconds: 60, metadata: { a: 'b' } };
    const taken = await services[0]!.client(ALICE).request<{ container_id: string }>('POST', '/sessions', usual);
    expect(before).toContain(taken.body.container_id);
    for (const id of ['own', 'usual']) await services[0]!.client(ALICE).deleteSession(id);
  });

  it('is taken over, and not swept, when a process was killed', async () => {
    const cleanup = await startCleanup({ deployment, redis, env: { ...env, DEBUG: 'true', CLEANUP_MAX_CONTAINER_AGE_SECONDS: '1' } });
    try {
      const before = await waiting();
      await services[0]!.stop('SIGKILL');
      services[0] = await start();
      await full(services[0]);
      await eventually('five sweeps', async () => cleanup.output.split('"swept"').length > 5);
      expect(await waiting()).toEqual(before);
      expect(before).toContain((await services[0].client(ALICE).run('after', 'true')).container_id);
    } finally {
      await cleanup.stop('SIGKILL');
    }
  });

  it('replaces a sandbox when it ended or the settings changed', async () => {
    const before = await waiting();
    await deployment.killContainer(before[0]!);
    await eventually('it is replaced', async () => {
      const now = await waiting();
      return now.length === POOL_SIZE && !now.includes(before[0]!) && (await poolOf(services[0]!)).size === POOL_SIZE;
    });
    await Promise.all(services.map((service) => service.stop('SIGTERM')));
    services = [await start({ CONTAINER_TMPFS_TMP_SIZE: '32m' })];
    await full(services[0]!);
    // A process that stops leaves a sandbox whose agent does not answer in time. The new process
    // removes it with its second look at the slots, a minute after the first.
    await eventually('the others are gone', async () => (await waiting()).length === POOL_SIZE, 120);
    const { container_id, stdout } = await services[0]!.client(ALICE).run('new settings', 'df -m --output=size /tmp');
    expect(before).not.toContain(container_id);
    expect(stdout).toMatch(/ 32\n$/);
  });
});

describe('The pool of one process', () => {
  it.each(['memory', 'redis'])('is removed when the process stops, with the %s store', async (store) => {
    const deployment = new TestDeployment();
    const ownRedis = store === 'redis' ? await TestRedis.start() : undefined;
    const service = await Service.start({ deployment, env, ...(ownRedis && { redis: ownRedis }) });
    try {
      await full(service);
      expect(await deployment.containers()).toHaveLength(POOL_SIZE);
      expect(await service.stop('SIGTERM')).toBe(0);
      expect(await deployment.containers()).toEqual([]);
    } finally {
      await service.stop('SIGKILL');
      await deployment.removeAll();
      await ownRedis?.stop();
    }
  });
});
