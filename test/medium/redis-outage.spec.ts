import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, connect, type AddressInfo } from 'node:net';
import { REDIS_DEADLINE_MS } from '@sandbox/redis';
import { createSessionStore, type SessionRef, type SessionStore } from '@sandbox/sessions';
import { Redis } from 'ioredis';
import { TestRedis } from '../support/service/processes';
import { call, DEPLOYMENT, enter, idle, NOW, sandbox, SECOND, someRef, storeConfig, TTL } from '../support/adapters/sessions';

/**
 * Tests the Redis store while Redis is killed, silent, full, flushed or tampered with. It is a real
 * Redis server of this suite's own.
 */

jest.setTimeout(60_000);

let redis: TestRedis;
let store: SessionStore;

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

describe('redis session store, when Redis is not well', () => {
  beforeEach(async () => {
    store = createSessionStore(storeConfig('redis', redis.port));
    await store.ping();
  });
  afterEach(() => store.disconnect());

  const unavailable = { code: 'STORE_UNAVAILABLE', status: 503, retryAfter: 2 };

  it('throws STORE_UNAVAILABLE while Redis is away, and works when it is back', async () => {
    const ref = someRef();
    await idle(store, ref);
    await redis.down();
    await expect(store.beginCall(ref, call(), NOW)).rejects.toMatchObject(unavailable);
    await expect(store.getSession(ref.key, NOW)).rejects.toMatchObject(unavailable);
    await redis.up();
    await untilItAnswers();
    // Redis has lost its data. So the session begins again.
    expect((await enter(store, ref)).created).toBe(true);
  });

  it('answers calls when Redis restarts meanwhile', async () => {
    await redis.down();
    // A command sent before the client notices the outage is lost, and is not sent twice.
    await sleep(50);
    const calls = Array.from({ length: 50 }, () => enter(store, someRef()));
    await redis.up();
    const results = await Promise.all(calls);
    expect(results.every(({ created }) => created)).toBe(true);
  });

  it('throws STORE_UNAVAILABLE while Redis is silent, and works when it answers again', async () => {
    redis.signal('SIGSTOP');
    try {
      // This timer is set before those of the calls: it fires last only if theirs are shorter.
      const deadline = sleep(REDIS_DEADLINE_MS, 'later than promised');
      const calls = Array.from({ length: 20 }, () => Promise.race([store.beginCall(someRef(), call(), NOW), deadline]));
      for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    } finally {
      redis.signal('SIGCONT');
    }
    await untilItAnswers();
    expect((await enter(store, someRef())).created).toBe(true);
  });

  it('throws STORE_UNAVAILABLE when Redis takes no writes', async () => {
    await redis.send('CONFIG SET maxmemory 1');
    try {
      await expect(enter(store, someRef())).rejects.toMatchObject(unavailable);
    } finally {
      await redis.send('CONFIG SET maxmemory 0');
    }
    await expect(enter(store, someRef())).resolves.toMatchObject({ created: true });
  });

  it('connects to the new primary when the old one has become a replica', async () => {
    const next = await TestRedis.start();
    // New connections lead to `primary`. Existing ones stay as they are.
    let primary = redis.port;
    const name = createServer((socket) => {
      const onward = connect(primary, '127.0.0.1');
      for (const each of [socket, onward]) each.on('error', () => undefined);
      socket.pipe(onward).pipe(socket);
      socket.once('close', () => onward.destroy());
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => name.once('listening', resolve));
    const failingOver = createSessionStore(storeConfig('redis', (name.address() as AddressInfo).port));
    try {
      await untilItAnswers(failingOver);
      expect((await enter(failingOver, someRef())).created).toBe(true);
      primary = next.port;
      await redis.send(`REPLICAOF 127.0.0.1 ${next.port}`);
      await expect(enter(failingOver, someRef())).rejects.toMatchObject(unavailable);
      await untilItAnswers(failingOver);
      expect((await enter(failingOver, someRef())).created).toBe(true);
    } finally {
      await failingOver.disconnect();
      name.close();
      await redis.send('REPLICAOF NO ONE');
      await next.stop();
    }
  });

  it('throws STORE_UNAVAILABLE until Redis starts, and connects when it does', async () => {
    await redis.down();
    const late = createSessionStore(storeConfig('redis', redis.port));
    try {
      await expect(late.ping()).rejects.toMatchObject(unavailable);
      await redis.up();
      await untilItAnswers(late);
    } finally {
      await late.disconnect();
    }
  });

  it('sends its scripts again when Redis has flushed them', async () => {
    const ref = someRef();
    await idle(store, ref);
    await redis.send('SCRIPT FLUSH');
    expect((await enter(store, ref)).created).toBe(false);
    expect(await store.findKnown([ref.key], NOW)).toEqual(new Set([ref.key]));
  });

  it('begins a session again when Redis was flushed during its calls', async () => {
    const ref = someRef();
    const hold = call(NOW + 100 * SECOND);
    const before = await enter(store, ref, hold);
    await redis.flush();
    await store.endCall(ref.key, before.record.generation, 'another', NOW);
    expect(await store.attachSandbox(ref.key, before.record.generation, sandbox('c'))).toEqual({ live: false });
    const after = await enter(store, ref, hold);
    expect(after).toMatchObject({ created: true, record: { expiresAt: hold.deadline + TTL } });
    expect(after.record.generation).not.toBe(before.record.generation);
  });

  it('treats a record as absent when it is damaged', async () => {
    for (const field of ['ref', 'generation', 'created']) {
      const ref = someRef();
      await idle(store, ref);
      await admin((client) => client.hset(`sandbox:{${DEPLOYMENT}}:session:${ref.key}`, field, field === 'generation' ? '' : '["a"'));
      expect(await store.getSession(ref.key, NOW)).toBeNull();
      expect(await store.listSessions(ref.userKey, NOW)).toEqual([]);
      await expect(enter(store, ref)).resolves.toMatchObject({ state: 'live' });
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ ref });
    }
  });

  it('treats a record as absent when it is another session’s', async () => {
    const [mine, theirs] = [someRef(), someRef()];
    await idle(store, mine);
    await idle(store, theirs);
    const name = (ref: SessionRef): string => `sandbox:{${DEPLOYMENT}}:session:${ref.key}`;
    await admin((client) => client.copy(name(theirs), name(mine), 'REPLACE'));
    expect(await store.getSession(mine.key, NOW)).toBeNull();
  });

  describe('beside a version that notes no starts of sandboxes', () => {
    const name = (ref: SessionRef): string => `sandbox:{${DEPLOYMENT}}:session:${ref.key}`;

    it('reports no restart when it takes over a session, but reports the next one', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await admin((client) => client.hdel(name(ref), 'start', 'begun'));
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ containerId: 'c0', startId: null });
      const same = sandbox('c0', { origin: 'restarted' });
      expect(await store.attachSandbox(ref.key, generation, same)).toEqual({ live: true, restarted: false, created: false });
      expect(await store.attachSandbox(ref.key, generation, { ...same, startId: 's2' })).toMatchObject({ restarted: true });
    });

    it('ignores the start of a sandbox when another sandbox was noted since', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await admin((client) => client.hset(name(ref), 'container', 'c2', 'restarted', ''));
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ containerId: 'c2', startId: null });
      const answer = await store.attachSandbox(ref.key, generation, sandbox('c2', { startId: 's2' }));
      expect(answer).toEqual({ live: true, restarted: false, created: false });
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ containerId: 'c2', startId: 's2' });
    });

    it('reads jobs when that version has noted them', async () => {
      const ref = someRef();
      await idle(store, ref);
      const job = JSON.stringify(['j', 'c', 'x', NOW, NOW]);
      await admin((client) => client.hset(name(ref).replace(':session:', ':jobs:'), 'j', job));
      expect(await store.listJobs(ref.key)).toEqual([
        { jobId: 'j', containerId: 'c', startId: null, command: 'x', startedAt: NOW, deadline: NOW },
      ]);
    });
  });

  it('gives every key a lifetime when it writes one', async () => {
    await redis.flush();
    const ref = someRef();
    const { record } = await enter(store, ref, { ...call(NOW + SECOND), command: true });
    await store.addJob(
      ref.key,
      record.generation,
      { jobId: 'j', containerId: 'c', startId: 's', command: 'x', startedAt: NOW, deadline: NOW },
      1,
    );
    await store.keepPooled(['p'], NOW + SECOND);
    await store.closeSession(someRef().key, 'always', NOW, NOW + SECOND);
    const prefix = `sandbox:{${DEPLOYMENT}}:`;
    const ofSession = [`session:${ref.key}`, `calls:${ref.key}`, `commands:${ref.key}`, `jobs:${ref.key}`];
    const others = [`commands:${ref.userKey}`, `user:${ref.userKey}`, 'expiry', 'pooled', 'closing'];
    const lifetimes = await lifetimesByName();
    expect(Object.keys(lifetimes).sort()).toEqual([...ofSession, ...others].map((name) => prefix + name).sort());
    for (const [name, lifetime] of Object.entries(lifetimes)) expect([name, lifetime > TTL]).toEqual([name, true]);
    await idle(store, ref);
    await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
    await store.removeSession(ref.key);
    expect((await admin((client) => client.keys('*'))).sort()).toEqual([`${prefix}closing`, `${prefix}pooled`]);
  });

  it('gives every key of a session its whole lifetime again when the session is used', async () => {
    await redis.flush();
    const ref = someRef();
    await enter(store, ref);
    await admin(async (client) => {
      for (const key of await client.keys('*')) await client.pexpire(key, 60_000);
    });
    await enter(store, ref);
    const lifetimes = await lifetimesByName();
    expect(Object.keys(lifetimes)).toHaveLength(4); // session, calls, expiry, user
    for (const [name, lifetime] of Object.entries(lifetimes)) expect([name, lifetime > TTL]).toEqual([name, true]);
  });

  it('throws when it is called after disconnect', async () => {
    await store.disconnect();
    await expect(store.ping()).rejects.toMatchObject(unavailable);
  });
});

/** Runs `work` with a connection to the server that bypasses the store. */
async function admin<T>(work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port: redis.port, host: '127.0.0.1' });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** @returns by each key's name, the milliseconds until it expires; -1 means never */
function lifetimesByName(): Promise<Record<string, number>> {
  return admin(async (client) => {
    const names = await client.keys('*');
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await client.pttl(name)] as const)));
  });
}

async function untilItAnswers(which = store): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      return await which.ping();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}
