import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, loadConfig } from '@sandbox/config';
import { createSessionStore, MAX_LISTED, sessionRef, type CallHold, type SessionRef, type SessionStore } from '@sandbox/sessions';
import { Redis } from 'ioredis';
import { TestRedis } from '../e2e/support/processes';

/** Real: both stores, and a Redis server of this suite's own. Time is what the tests say it is. */

jest.setTimeout(60_000);

const DEPLOYMENT = 'store-spec';
const TTL = 600_000;
const NOW = Date.now();
const SECOND = 1_000;

let redis: TestRedis;
let store: SessionStore;

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

function config(kind: 'memory' | 'redis'): Config {
  const env = {
    SESSION_STORE: kind,
    DEPLOYMENT,
    SESSION_TTL_SECONDS: String(TTL / 1000),
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(redis.port),
  };
  return loadConfig(env, { needsAuth: false });
}

function someRef(userId = `jwt:${randomUUID()}`, sessionId = 'work'): SessionRef {
  return sessionRef(DEPLOYMENT, { id: userId }, sessionId);
}

function call(deadline = NOW): CallHold {
  return { callId: randomUUID(), deadline };
}

/** Begins and ends a call, so that the session is there and idle since `now`. */
async function idle(ref: SessionRef, now = NOW): Promise<string> {
  const hold = call(now);
  const { record } = await enter(ref, hold, now);
  await store.end(ref.key, record.generation, hold.callId, now);
  return record.generation;
}

async function enter(ref: SessionRef, hold = call(), now = NOW) {
  const result = await store.begin(ref, hold, now);
  if (result.state !== 'live') throw new Error('the session is closing');
  return result;
}

describe.each(['memory', 'redis'] as const)('%s session store', (kind) => {
  beforeEach(() => {
    store = createSessionStore(config(kind));
  });
  afterEach(() => store.disconnect());

  describe('begin', () => {
    it('makes a record once', async () => {
      const ref = someRef();
      const first = await enter(ref);
      expect(first).toEqual({
        state: 'live',
        created: true,
        record: {
          ref,
          generation: expect.any(String),
          containerId: null,
          image: null,
          createdAt: NOW,
          lastUsedAt: NOW,
          expiresAt: NOW + TTL,
        },
      });
      const second = await enter(ref, call(), NOW + SECOND);
      expect(second.created).toBe(false);
      expect(second.record).toEqual({ ...first.record, lastUsedAt: NOW + SECOND, expiresAt: NOW + SECOND + TTL });
    });

    it('keeps any name unchanged', async () => {
      for (const name of ['a/b/../c', '👩‍💻 é\u0301', '"\\\n\0', '\ud800', '[]', 'x'.repeat(256)]) {
        const ref = someRef(`jwt:${name}`, name);
        await enter(ref);
        expect((await store.get(ref.key, NOW))?.ref).toEqual(ref);
        expect((await store.list(ref.userKey, NOW)).map((record) => record.ref)).toEqual([ref]);
        await store.remove(ref.key);
      }
    });

    it('creates once when a hundred come at once', async () => {
      const ref = someRef();
      const results = await Promise.all(Array.from({ length: 100 }, () => enter(ref)));
      expect(results.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(results.map(({ record }) => record.generation)).size).toBe(1);
    });

    it('revives a record that has expired but was not closed', async () => {
      const ref = someRef();
      const generation = await idle(ref);
      await store.attach(ref.key, generation, { containerId: 'c1', image: 'i' });
      const later = NOW + TTL + SECOND;
      const { created, record } = await enter(ref, call(later), later);
      expect(created).toBe(false);
      expect(record).toMatchObject({ generation, containerId: 'c1', expiresAt: later + TTL });
      expect(await store.close(ref.key, 'expired', later, later + SECOND)).toBe(false);
    });

    it('does not enter a closing session, also where the mark is stale', async () => {
      const ref = someRef();
      await store.close(ref.key, 'always', NOW, NOW + SECOND);
      expect(await store.begin(ref, call(), NOW)).toEqual({ state: 'closing', until: NOW + SECOND });
      expect(await store.begin(ref, call(), NOW + 5 * SECOND)).toEqual({ state: 'closing', until: NOW + SECOND });
    });

    it('starts afresh after a removal', async () => {
      const ref = someRef();
      const generation = await idle(ref);
      await store.attach(ref.key, generation, { containerId: 'c1', image: 'i' });
      await store.close(ref.key, 'always', NOW, NOW + SECOND);
      await store.remove(ref.key);
      const { created, record } = await enter(ref);
      expect(created).toBe(true);
      expect(record.containerId).toBeNull();
      expect(record.generation).not.toBe(generation);
    });

    it('never lets last use go back', async () => {
      const ref = someRef();
      await idle(ref, NOW + 5 * SECOND);
      const { record } = await enter(ref, call(), NOW);
      expect(record).toMatchObject({ lastUsedAt: NOW + 5 * SECOND, expiresAt: NOW + 5 * SECOND + TTL });
    });
  });

  describe('expiry', () => {
    it('waits for the last deadline of the calls in the session', async () => {
      const ref = someRef();
      const deadline = NOW + 3 * TTL;
      await enter(ref, call(deadline));
      await enter(ref, call(NOW + SECOND));
      const idleTooLong = NOW + 2 * TTL;
      expect(await store.get(ref.key, idleTooLong)).toMatchObject({ lastUsedAt: NOW, expiresAt: deadline + TTL });
      expect(await store.close(ref.key, 'expired', idleTooLong, idleTooLong + SECOND)).toBe(false);
      expect(await store.expired(idleTooLong, 1_000)).not.toContain(ref.key);
    });

    it('comes although a call never ended, after its deadline', async () => {
      const ref = someRef();
      await enter(ref, call(NOW + SECOND));
      expect(await store.get(ref.key, NOW + SECOND + TTL - 1)).not.toBeNull();
      expect(await store.get(ref.key, NOW + SECOND + TTL)).toBeNull();
      expect(await store.expired(NOW + SECOND + TTL, 1_000)).toContain(ref.key);
    });

    it('counts from the end of a call that ended before its deadline', async () => {
      const ref = someRef();
      const hold = call(NOW + 100 * SECOND);
      const { record } = await enter(ref, hold);
      await store.end(ref.key, record.generation, hold.callId, NOW + SECOND);
      expect(await store.get(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW + SECOND, expiresAt: NOW + SECOND + TTL });
    });

    it('is not brought forward for one call by the end of another', async () => {
      const ref = someRef();
      const long = call(NOW + 100 * SECOND);
      const short = call(NOW + 50 * SECOND);
      const { record } = await enter(ref, long);
      await enter(ref, short);
      await store.end(ref.key, record.generation, short.callId, NOW + SECOND);
      expect(await store.get(ref.key, NOW)).toMatchObject({ expiresAt: long.deadline + TTL });
      await store.end(ref.key, record.generation, long.callId, NOW + 2 * SECOND);
      expect(await store.get(ref.key, NOW)).toMatchObject({ expiresAt: NOW + 2 * SECOND + TTL });
    });

    it('is kept for each of a thousand calls at once', async () => {
      const ref = someRef();
      const holds = Array.from({ length: 1_000 }, (_, i) => call(NOW + i * SECOND));
      const { record } = await enter(ref);
      await Promise.all(holds.map((hold) => enter(ref, hold)));
      const [last, ...ended] = [holds[500]!, ...holds.filter((_, i) => i !== 500)];
      await Promise.all(ended.map(({ callId }) => store.end(ref.key, record.generation, callId, NOW)));
      // A store that bounds the calls it tells apart may err to the longer side.
      const { expiresAt } = (await store.get(ref.key, NOW))!;
      expect(expiresAt).toBeGreaterThanOrEqual(last.deadline + TTL);
      expect(expiresAt).toBeLessThanOrEqual(holds[999]!.deadline + TTL);
    });

    it('is not changed by a look', async () => {
      const ref = someRef();
      await idle(ref);
      await store.get(ref.key, NOW + SECOND);
      await store.list(ref.userKey, NOW + SECOND);
      await store.known([ref.key], NOW + SECOND);
      expect(await store.get(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW, expiresAt: NOW + TTL });
    });
  });

  describe('end', () => {
    it('of another generation, or of a removed session, has no effect', async () => {
      const ref = someRef();
      const hold = call(NOW + 9 * SECOND);
      await enter(ref, hold);
      await store.end(ref.key, randomUUID(), hold.callId, NOW + SECOND);
      expect(await store.get(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW, expiresAt: NOW + 9 * SECOND + TTL });
      const gone = someRef();
      await store.end(gone.key, randomUUID(), hold.callId, NOW);
      expect(await store.known([gone.key], NOW)).toEqual(new Set());
    });

    it('does not bring a closing session back', async () => {
      const ref = someRef();
      const hold = call();
      const { record } = await enter(ref, hold);
      await store.close(ref.key, 'always', NOW, NOW + SECOND);
      await store.end(ref.key, record.generation, hold.callId, NOW);
      expect(await store.get(ref.key, NOW)).toBeNull();
      expect((await store.begin(ref, call(), NOW)).state).toBe('closing');
    });
  });

  describe('attach', () => {
    it('notes the sandbox, and tells which one was there before', async () => {
      const ref = someRef();
      const generation = await idle(ref);
      expect(await store.attach(ref.key, generation, { containerId: 'c1', image: 'i1' })).toEqual({ live: true, previous: null });
      expect(await store.attach(ref.key, generation, { containerId: 'c2', image: 'i2' })).toEqual({ live: true, previous: 'c1' });
      expect(await store.get(ref.key, NOW)).toMatchObject({ containerId: 'c2', image: 'i2', createdAt: NOW });
    });

    it('takes the earlier of two times of creation', async () => {
      const ref = someRef();
      const generation = await idle(ref);
      await store.attach(ref.key, generation, { containerId: 'c1', image: 'i', createdAt: NOW + SECOND });
      expect((await store.get(ref.key, NOW))?.createdAt).toBe(NOW);
      await store.attach(ref.key, generation, { containerId: 'c1', image: 'i', createdAt: NOW - SECOND });
      expect((await store.get(ref.key, NOW))?.createdAt).toBe(NOW - SECOND);
    });

    it('is refused to another generation, to a closing and to an unknown session', async () => {
      const ref = someRef();
      const generation = await idle(ref);
      const container = { containerId: 'c1', image: 'i' };
      expect(await store.attach(ref.key, randomUUID(), container)).toEqual({ live: false });
      await store.close(ref.key, 'always', NOW, NOW + SECOND);
      expect(await store.attach(ref.key, generation, container)).toEqual({ live: false });
      expect(await store.attach(someRef().key, generation, container)).toEqual({ live: false });
    });
  });

  describe('list', () => {
    it('has the user’s live sessions and no others, oldest first', async () => {
      const user = `jwt:${randomUUID()}`;
      const [old, young, expired, closing, removed] = ['old', 'young', 'expired', 'closing', 'removed'].map((name) => someRef(user, name));
      await idle(young!, NOW + 2);
      await idle(old!, NOW + 1);
      await enter(old!, call(), NOW + SECOND);
      await idle(expired!, NOW - TTL);
      for (const ref of [closing!, removed!]) {
        await idle(ref);
        await store.close(ref.key, 'always', NOW, NOW + SECOND);
      }
      await store.remove(removed!.key);
      await idle(someRef(undefined, 'old'));
      const listed = await store.list(old!.userKey, NOW);
      expect(listed.map((record) => record.ref.sessionId)).toEqual(['old', 'young']);
      expect(listed).toEqual([await store.get(old!.key, NOW), await store.get(young!.key, NOW)]);
    });

    it('is bounded', async () => {
      const user = `jwt:${randomUUID()}`;
      const refs = Array.from({ length: MAX_LISTED + 5 }, (_, i) => someRef(user, `s${i}`));
      await Promise.all(refs.map((ref, i) => enter(ref, call(), NOW + i)));
      const listed = await store.list(refs[0]!.userKey, NOW);
      expect(listed).toHaveLength(MAX_LISTED);
      expect(listed.map(({ createdAt }) => createdAt)).toEqual(listed.map(({ createdAt }) => createdAt).sort((a, b) => a - b));
      await Promise.all(refs.map((ref) => store.remove(ref.key)));
      expect(await store.list(refs[0]!.userKey, NOW)).toEqual([]);
    });
  });

  describe('close', () => {
    const till = NOW + SECOND;

    it('always: takes whatever is there, also nothing', async () => {
      const [used, unknown] = [someRef(), someRef()];
      await enter(used, call(NOW + TTL));
      expect(await store.close(used.key, 'always', NOW, till)).toBe(true);
      expect(await store.close(unknown.key, 'always', NOW, till)).toBe(true);
      expect(await store.get(used.key, NOW)).toBeNull();
    });

    it('expired: takes only a record whose expiry is past', async () => {
      const ref = someRef();
      await idle(ref);
      expect(await store.close(ref.key, 'expired', NOW + TTL - 1, till)).toBe(false);
      expect(await store.get(ref.key, NOW)).not.toBeNull();
      expect(await store.close(ref.key, 'expired', NOW + TTL, NOW + TTL + 1)).toBe(true);
      expect(await store.close(someRef().key, 'expired', NOW, till)).toBe(false);
    });

    it('unknown: takes only where there is no record', async () => {
      const ref = someRef();
      await idle(ref, NOW - 2 * TTL);
      expect(await store.close(ref.key, 'unknown', NOW, till)).toBe(false);
      expect(await store.close(someRef().key, 'unknown', NOW, till)).toBe(true);
    });

    it.each(['always', 'expired', 'unknown'] as const)(
      '%s: leaves another’s mark while it is valid, and takes it over after',
      async (condition) => {
        const ref = someRef();
        expect(await store.close(ref.key, 'always', NOW, till)).toBe(true);
        expect(await store.close(ref.key, condition, till - 1, till + SECOND)).toBe(false);
        expect(await store.close(ref.key, condition, till, till + SECOND)).toBe(true);
        expect(await store.begin(ref, call(), till)).toEqual({ state: 'closing', until: till + SECOND });
        expect(await store.close(ref.key, condition, till, till + SECOND)).toBe(false);
      },
    );

    it('lets one of a hundred at once win', async () => {
      const ref = someRef();
      await idle(ref);
      const won = await Promise.all(Array.from({ length: 100 }, () => store.close(ref.key, 'expired', NOW + TTL, NOW + TTL + SECOND)));
      expect(won.filter(Boolean)).toHaveLength(1);
    });

    it('and a begin of an expired session never both succeed', async () => {
      const other = createSessionStore(config(kind));
      // The in-memory store is of one process; its rivals share it.
      const rival = kind === 'memory' ? store : other;
      const later = NOW + TTL;
      const winners = { begin: 0, close: 0 };
      for (let round = 0; round < 500; round++) {
        const ref = someRef();
        await idle(ref);
        const jitter = (): Promise<void> => sleep(1 + Math.floor(3 * Math.random()));
        const [begun, closed] = await Promise.all([
          jitter().then(() => store.begin(ref, call(later), later)),
          jitter().then(() => rival.close(ref.key, 'expired', later, later + SECOND)),
        ]);
        expect(closed).toBe(begun.state === 'closing');
        winners[closed ? 'close' : 'begin']++;
      }
      await other.disconnect();
      expect(winners.begin).toBeGreaterThan(0);
      expect(winners.close).toBeGreaterThan(0);
    });
  });

  describe('expired and known', () => {
    it('expired: past expiries and stale closings, the longest first, at most so many', async () => {
      const [first, second, third, used, closing] = Array.from({ length: 5 }, () => someRef());
      // A time before all that other tests left.
      const then = NOW - 1_000 * TTL;
      await idle(third!, then + 3);
      await idle(first!, then + 1);
      await store.close(second!.key, 'always', then, then + TTL + 2);
      await enter(used!, call(then + SECOND), then);
      await store.close(closing!.key, 'always', then, then + 2 * TTL);
      const at = then + TTL + 3;
      expect(await store.expired(at, 10)).toEqual([first!.key, second!.key, third!.key]);
      expect(await store.expired(at, 2)).toEqual([first!.key, second!.key]);
      await Promise.all([first, second, third, used, closing].map((ref) => store.remove(ref!.key)));
      expect(await store.expired(at, 10)).toEqual([]);
    });

    it('known: a record, expired or not, or a valid closing mark', async () => {
      const [live, expired, closing, stale, unknown] = Array.from({ length: 5 }, () => someRef());
      await idle(live!);
      await idle(expired!, NOW - 2 * TTL);
      await store.close(closing!.key, 'always', NOW, NOW + SECOND);
      await store.close(stale!.key, 'always', NOW - SECOND, NOW);
      const keys = [live, expired, closing, stale, unknown].map((ref) => ref!.key);
      expect(await store.known(keys, NOW)).toEqual(new Set([live!.key, expired!.key, closing!.key]));
      expect(await store.known([], NOW)).toEqual(new Set());
    });
  });

  it('answers a ping', async () => {
    await expect(store.ping()).resolves.toBeUndefined();
  });
});

describe('redis session store, when Redis is not well', () => {
  beforeEach(async () => {
    store = createSessionStore(config('redis'));
    await store.ping();
  });
  afterEach(() => store.disconnect());

  const unavailable = { code: 'STORE_UNAVAILABLE', status: 503, retryAfter: 2 };

  it('answers STORE_UNAVAILABLE while it is away, and works again by itself', async () => {
    const ref = someRef();
    await idle(ref);
    await redis.down();
    await expect(store.begin(ref, call(), NOW)).rejects.toMatchObject(unavailable);
    await expect(store.get(ref.key, NOW)).rejects.toMatchObject(unavailable);
    await redis.up();
    await untilItAnswers();
    // What it knew is lost; the session begins anew.
    expect((await enter(ref)).created).toBe(true);
  });

  it('rides out a restart', async () => {
    await redis.down();
    // A command written before the client has heard of it is lost, and is not sent twice.
    await sleep(50);
    const calls = Array.from({ length: 50 }, () => enter(someRef()));
    await redis.up();
    const results = await Promise.all(calls);
    expect(results.every(({ created }) => created)).toBe(true);
  });

  it('answers STORE_UNAVAILABLE where it is there but silent, and works again by itself', async () => {
    redis.signal('SIGSTOP');
    try {
      const calls = Array.from({ length: 20 }, () => store.begin(someRef(), call(), NOW));
      for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    } finally {
      redis.signal('SIGCONT');
    }
    await untilItAnswers();
    expect((await enter(someRef())).created).toBe(true);
  });

  it('answers STORE_UNAVAILABLE where Redis takes no writes', async () => {
    await redis.send('CONFIG SET maxmemory 1');
    try {
      await expect(enter(someRef())).rejects.toMatchObject(unavailable);
    } finally {
      await redis.send('CONFIG SET maxmemory 0');
    }
    await expect(enter(someRef())).resolves.toMatchObject({ created: true });
  });

  it('was never there: answers STORE_UNAVAILABLE, and connects once it is', async () => {
    await redis.down();
    const late = createSessionStore(config('redis'));
    try {
      await expect(late.ping()).rejects.toMatchObject(unavailable);
      await redis.up();
      await untilItAnswers(late);
    } finally {
      await late.disconnect();
    }
  });

  it('goes on after its scripts were flushed', async () => {
    const ref = someRef();
    await idle(ref);
    await redis.send('SCRIPT FLUSH');
    expect((await enter(ref)).created).toBe(false);
    expect(await store.known([ref.key], NOW)).toEqual(new Set([ref.key]));
  });

  it('takes a session flushed in mid-call for a new one, whose calls say again that they are there', async () => {
    const ref = someRef();
    const hold = call(NOW + 100 * SECOND);
    const before = await enter(ref, hold);
    await redis.flush();
    await store.end(ref.key, before.record.generation, 'another', NOW);
    expect(await store.attach(ref.key, before.record.generation, { containerId: 'c', image: 'i' })).toEqual({ live: false });
    const after = await enter(ref, hold);
    expect(after).toMatchObject({ created: true, record: { expiresAt: hold.deadline + TTL } });
    expect(after.record.generation).not.toBe(before.record.generation);
  });

  it('takes a damaged record for an absent one', async () => {
    for (const field of ['ref', 'generation', 'created']) {
      const ref = someRef();
      await idle(ref);
      await admin((client) => client.hset(`sandbox:{${DEPLOYMENT}}:session:${ref.key}`, field, field === 'generation' ? '' : '["a"'));
      expect(await store.get(ref.key, NOW)).toBeNull();
      expect(await store.list(ref.userKey, NOW)).toEqual([]);
      await expect(enter(ref)).resolves.toMatchObject({ state: 'live' });
      expect(await store.get(ref.key, NOW)).toMatchObject({ ref });
    }
  });

  it('does not take another session’s record for the one asked for', async () => {
    const [mine, theirs] = [someRef(), someRef()];
    await idle(mine);
    await idle(theirs);
    const name = (ref: SessionRef): string => `sandbox:{${DEPLOYMENT}}:session:${ref.key}`;
    await admin((client) => client.copy(name(theirs), name(mine), 'REPLACE'));
    expect(await store.get(mine.key, NOW)).toBeNull();
  });

  it('leaves nothing in Redis for ever', async () => {
    await redis.flush();
    const ref = someRef();
    await enter(ref, call(NOW + SECOND));
    await store.close(someRef().key, 'always', NOW, NOW + SECOND);
    const lifetimes = await admin(async (client) => Promise.all((await client.keys('*')).map((key) => client.pttl(key))));
    expect(lifetimes).toHaveLength(5); // session, calls, expiry, user, closing
    for (const lifetime of lifetimes) expect(lifetime).toBeGreaterThan(TTL);
    await idle(ref);
    await store.close(ref.key, 'always', NOW, NOW + SECOND);
    await store.remove(ref.key);
    expect(await admin((client) => client.keys('*'))).toEqual([`sandbox:{${DEPLOYMENT}}:closing`]);
  });

  it('fails calls after disconnect', async () => {
    await store.disconnect();
    await expect(store.ping()).rejects.toMatchObject(unavailable);
  });
});

/** Works on the server past the store. */
async function admin<T>(work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port: redis.port, host: '127.0.0.1' });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
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
