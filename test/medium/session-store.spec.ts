import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Allowance,
  COMMAND_LEASE_MS,
  createSessionStore,
  MAX_LISTED,
  MAX_PORT_GRANTS,
  MAX_NETWORK_EVENTS,
  sessionRef,
  type JobRecord,
  type PortGrant,
  type SessionRef,
  type SessionStore,
} from '@sandbox/sessions';
import { eventually, TestRedis } from '../support/service/processes';
import { call, enter, idle, NOW, sandbox, SECOND, someRef, storeConfig, TTL } from '../support/adapters/sessions';

/** The port's contract, run on both stores. The Redis server is real, and only for this suite. */

jest.setTimeout(60_000);

let redis: TestRedis;
let store: SessionStore;
const opened: SessionStore[] = [];

/** Opens a store and disconnects it after each test. Jest does not end while one is open. */
function openStore(kind: 'memory' | 'redis', more: Record<string, string> = {}): SessionStore {
  const another = createSessionStore(storeConfig(kind, redis.port, more));
  opened.push(another);
  return another;
}

afterEach(() => Promise.all(opened.splice(0).map((each) => each.disconnect())));

beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

describe.each(['memory', 'redis'] as const)('%s session store', (kind) => {
  beforeEach(() => {
    store = openStore(kind);
  });

  it('keeps its time when the wall clock jumps', async () => {
    const before = store.now();
    expect(Math.abs(before - Date.now())).toBeLessThan(5 * SECOND);
    const jump = jest.spyOn(Date, 'now').mockReturnValue(before + 3600 * SECOND);
    try {
      expect(store.now() - before).toBeLessThan(60 * SECOND);
    } finally {
      jump.mockRestore();
    }
  });

  it('lists the live sessions of all users', async () => {
    const deployment = `store-spec-${randomUUID().slice(0, 8)}`;
    store = openStore(kind, { DEPLOYMENT: deployment });
    expect(await store.listAllSessions(NOW)).toEqual([]);
    const refs = ['jwt:a', 'jwt:b'].map((user) => sessionRef(deployment, { id: user }, 's'));
    await idle(store, refs[0]!);
    await idle(store, refs[1]!, NOW + SECOND);
    const keys = async (now: number): Promise<string[]> => (await store.listAllSessions(now)).map(({ ref }) => ref.userId);
    expect(await keys(NOW + SECOND)).toEqual(['jwt:a', 'jwt:b']);
    expect(await keys(NOW + TTL)).toEqual(['jwt:b']);
    expect(await keys(NOW + TTL + SECOND)).toEqual([]);
  });

  describe('calls that enter live sessions only', () => {
    const live = (ref: SessionRef): SessionRef => ({ ...ref, onlyLive: true });

    it('make nothing when there is no session', async () => {
      const ref = live(someRef());
      expect(await store.beginCall(ref, call(), NOW)).toEqual({ state: 'absent' });
      expect(await store.listSessions(ref.userKey, NOW)).toEqual([]);
    });

    it('enter and prolong a session when it is there', async () => {
      const ref = someRef();
      await idle(store, ref);
      const entered = await enter(store, live(ref), call(NOW + SECOND), NOW + SECOND);
      expect([entered.created, entered.record.ref, entered.record.expiresAt]).toEqual([false, ref, NOW + SECOND + TTL]);
    });

    it('do not revive a session when it has expired', async () => {
      const ref = someRef();
      await idle(store, ref);
      const later = NOW + TTL;
      expect(await store.beginCall(live(ref), call(later), later)).toEqual({ state: 'absent' });
      expect(await store.listExpired(later, 10)).toContain(ref.key);
      expect((await store.beginCall(ref, call(later), later)).state).toBe('live');
    });
  });

  describe('requests that are counted while they begin', () => {
    const OVER = new Error('over the budget');

    /** A request of the user that is on its way to the store with the call that comes after it. */
    function counted(of: SessionStore, ref: SessionRef, limit: number): SessionRef {
      const requestId = randomUUID();
      const count = of.countRequest(ref.userId, limit, TTL, requestId);
      const granted = count.then(({ hits }) => {
        if (hits > limit) throw OVER;
      });
      return { ...ref, allowance: new Allowance(requestId, granted) };
    }

    it('enters a session when the request is within the budget', async () => {
      const ref = someRef();
      const first = await enter(store, counted(store, ref, 2));
      expect([first.created, first.record.ref]).toEqual([true, ref]);
      expect((await enter(store, counted(store, ref, 2))).created).toBe(false);
    });

    it('makes and prolongs nothing when the request is over the budget', async () => {
      const [ref, other] = [someRef('jwt:u'), someRef('jwt:u', 'other')];
      await idle(store, counted(store, ref, 1));
      const before = await store.getSession(ref.key, NOW);
      const late = call(NOW + SECOND);
      for (const each of [ref, other]) await expect(store.beginCall(counted(store, each, 1), late, NOW + SECOND)).rejects.toBe(OVER);
      expect(await store.getSession(ref.key, NOW)).toEqual(before);
      expect(await store.getSession(other.key, NOW)).toBeNull();
      // The same once the answer to the count is there.
      const refused = counted(store, ref, 1);
      await refused.allowance!.granted.catch(() => undefined);
      await expect(store.beginCall(refused, late, NOW + SECOND)).rejects.toBe(OVER);
      expect(await store.getSession(ref.key, NOW)).toEqual(before);
    });

    it('lets in exactly as many as the budget has when many come at once', async () => {
      const others = kind === 'redis' ? [openStore(kind), openStore(kind)] : [];
      const replicas = [store, ...others];
      const refs = Array.from({ length: 60 }, (_, index) => someRef('jwt:many', `s${index}`));
      const begun = await Promise.allSettled(
        refs.map((ref, index) => {
          const replica = replicas[index % replicas.length]!;
          return replica.beginCall(counted(replica, ref, 25), call(), NOW);
        }),
      );
      expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(25);
      expect(await store.listSessions(refs[0]!.userKey, NOW)).toHaveLength(25);
    });

    it('ends the call when it has begun and the answer to the count is lost', async () => {
      const ref = someRef();
      const lost = new Error('the connection is gone');
      let lose!: () => void;
      const granted = new Promise<void>((_resolve, reject) => (lose = () => reject(lost)));
      const begins = store.beginCall({ ...ref, allowance: new Allowance(randomUUID(), granted) }, call(), NOW);
      await store.ping();
      lose();
      await expect(begins).rejects.toBe(lost);
      expect(await store.getSession(ref.key, NOW)).toBeNull();
    });
  });

  describe('begin', () => {
    it('makes a record when there is none, and finds it later', async () => {
      const ref = someRef();
      const first = await enter(store, ref);
      expect(first).toEqual({
        state: 'live',
        created: true,
        record: {
          ref,
          generation: expect.any(String),
          containerId: null,
          image: null,
          startId: null,
          options: null,
          ttlMs: TTL,
          metadata: {},
          network: null,
          restarted: false,
          createdAt: NOW,
          lastUsedAt: NOW,
          expiresAt: NOW + TTL,
        },
      });
      const second = await enter(store, ref, call(), NOW + SECOND);
      expect(second.created).toBe(false);
      expect(second.record).toEqual({ ...first.record, lastUsedAt: NOW + SECOND, expiresAt: NOW + SECOND + TTL });
    });

    it('keeps a name unchanged when it is strange', async () => {
      for (const name of ['a/b/../c', '👩‍💻 é\u0301', '"\\\n\0', '\ud800', '[]', 'x'.repeat(256)]) {
        const ref = someRef(`jwt:${name}`, name);
        await enter(store, ref);
        expect((await store.getSession(ref.key, NOW))?.ref).toEqual(ref);
        expect((await store.listSessions(ref.userKey, NOW)).map((record) => record.ref)).toEqual([ref]);
        await store.removeSession(ref.key);
      }
    });

    it('makes one record when a hundred calls come at once', async () => {
      const ref = someRef();
      const results = await Promise.all(Array.from({ length: 100 }, () => enter(store, ref)));
      expect(results.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(results.map(({ record }) => record.generation)).size).toBe(1);
    });

    it('revives a record when it has expired and was not closed', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await store.attachSandbox(ref.key, generation, sandbox('c1'));
      const later = NOW + TTL + SECOND;
      const { created, record } = await enter(store, ref, call(later), later);
      expect(created).toBe(false);
      expect(record).toMatchObject({ generation, containerId: 'c1', expiresAt: later + TTL });
      expect(await store.closeSession(ref.key, 'expired', later, later + SECOND)).toBe(false);
    });

    it('enters no session when it is closing, even if the mark is stale', async () => {
      const ref = someRef();
      await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
      expect(await store.beginCall(ref, call(), NOW)).toEqual({ state: 'closing', until: NOW + SECOND });
      expect(await store.beginCall(ref, call(), NOW + 5 * SECOND)).toEqual({ state: 'closing', until: NOW + SECOND });
    });

    it('makes a new record when the old one was removed', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await store.attachSandbox(ref.key, generation, sandbox('c1'));
      await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
      await store.removeSession(ref.key);
      const { created, record } = await enter(store, ref);
      expect(created).toBe(true);
      expect(record.containerId).toBeNull();
      expect(record.generation).not.toBe(generation);
    });

    it('keeps the last use when a call brings an earlier time', async () => {
      const ref = someRef();
      await idle(store, ref, NOW + 5 * SECOND);
      const { record } = await enter(store, ref, call(), NOW);
      expect(record).toMatchObject({ lastUsedAt: NOW + 5 * SECOND, expiresAt: NOW + 5 * SECOND + TTL });
    });
  });

  describe('expiry', () => {
    it('is after the last deadline when calls are in the session', async () => {
      const ref = someRef();
      const deadline = NOW + 3 * TTL;
      await enter(store, ref, call(deadline));
      await enter(store, ref, call(NOW + SECOND));
      const idleTooLong = NOW + 2 * TTL;
      expect(await store.getSession(ref.key, idleTooLong)).toMatchObject({ lastUsedAt: NOW, expiresAt: deadline + TTL });
      expect(await store.closeSession(ref.key, 'expired', idleTooLong, idleTooLong + SECOND)).toBe(false);
      expect(await store.listExpired(idleTooLong, 1_000)).not.toContain(ref.key);
    });

    it('comes after its deadline when a call never ended', async () => {
      const ref = someRef();
      await enter(store, ref, call(NOW + SECOND));
      expect(await store.getSession(ref.key, NOW + SECOND + TTL - 1)).not.toBeNull();
      expect(await store.getSession(ref.key, NOW + SECOND + TTL)).toBeNull();
      expect(await store.listExpired(NOW + SECOND + TTL, 1_000)).toContain(ref.key);
    });

    it('counts from a call’s end when the call ended before its deadline', async () => {
      const ref = someRef();
      const hold = call(NOW + 100 * SECOND);
      const { record } = await enter(store, ref, hold);
      await store.attachSandbox(ref.key, record.generation, sandbox('c0'));
      await store.endCall(ref.key, record.generation, hold.callId, NOW + SECOND);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW + SECOND, expiresAt: NOW + SECOND + TTL });
    });

    it('stays when another call ends first', async () => {
      const ref = someRef();
      const long = call(NOW + 100 * SECOND);
      const short = call(NOW + 50 * SECOND);
      const { record } = await enter(store, ref, long);
      await store.attachSandbox(ref.key, record.generation, sandbox('c0'));
      await enter(store, ref, short);
      await store.endCall(ref.key, record.generation, short.callId, NOW + SECOND);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ expiresAt: long.deadline + TTL });
      await store.endCall(ref.key, record.generation, long.callId, NOW + 2 * SECOND);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ expiresAt: NOW + 2 * SECOND + TTL });
    });

    it('holds for every call when there are a thousand at once', async () => {
      const ref = someRef();
      const holds = Array.from({ length: 1_000 }, (_, i) => call(NOW + i * SECOND));
      const { record } = await enter(store, ref);
      await Promise.all(holds.map((hold) => enter(store, ref, hold)));
      const [last, ...ended] = [holds[500]!, ...holds.filter((_, i) => i !== 500)];
      await Promise.all(ended.map(({ callId }) => store.endCall(ref.key, record.generation, callId, NOW)));
      // A store may limit how many calls it tells apart. It then keeps the session longer.
      const { expiresAt } = (await store.getSession(ref.key, NOW))!;
      expect(expiresAt).toBeGreaterThanOrEqual(last.deadline + TTL);
      expect(expiresAt).toBeLessThanOrEqual(holds[999]!.deadline + TTL);
    });

    it('stays when somebody only reads the session', async () => {
      const ref = someRef();
      await idle(store, ref);
      await store.getSession(ref.key, NOW + SECOND);
      await store.listSessions(ref.userKey, NOW + SECOND);
      await store.findKnown([ref.key], NOW + SECOND);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW, expiresAt: NOW + TTL });
    });
  });

  describe('end', () => {
    it('has no effect when the generation differs or the session is removed', async () => {
      const ref = someRef();
      const hold = call(NOW + 9 * SECOND);
      await enter(store, ref, hold);
      await store.endCall(ref.key, randomUUID(), hold.callId, NOW + SECOND);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ lastUsedAt: NOW, expiresAt: NOW + 9 * SECOND + TTL });
      const gone = someRef();
      await store.endCall(gone.key, randomUUID(), hold.callId, NOW);
      expect(await store.findKnown([gone.key], NOW)).toEqual(new Set());
    });

    it('brings no session back when it is closing', async () => {
      const ref = someRef();
      const hold = call();
      const { record } = await enter(store, ref, hold);
      await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
      await store.endCall(ref.key, record.generation, hold.callId, NOW);
      expect(await store.getSession(ref.key, NOW)).toBeNull();
      expect((await store.beginCall(ref, call(), NOW)).state).toBe('closing');
    });
  });

  describe('options and settings', () => {
    const OPTIONS = { image: 'i2', memory: '200m', cpus: 0.25, pids: 64, persistent: true, env: { A: 'é\u0000"' } };
    const SETTINGS = { ttl_seconds: 60, metadata: { team: '蓝"\\' } };

    it('are those of the first call when a session begins', async () => {
      const ref = someRef();
      const first = await store.beginCall(ref, call(), NOW, { ...OPTIONS, ...SETTINGS });
      const known = { options: OPTIONS, ttlMs: 60_000, metadata: SETTINGS.metadata, expiresAt: NOW + 60_000 };
      expect(first).toMatchObject({ created: true, record: known });
      const second = await store.beginCall(ref, call(), NOW, { image: 'other', ttl_seconds: 5 });
      expect(second).toMatchObject({ created: false, record: known });
      expect(await store.getSession(ref.key, NOW)).toMatchObject(known);
      expect(await store.getSession(ref.key, NOW + 60_000)).toBeNull();
    });

    it('are null until they are known, and empty when there are none', async () => {
      const [told, untold] = [someRef(), someRef()];
      expect(await store.beginCall(told, call(), NOW, {})).toMatchObject({ record: { options: {} } });
      expect(await store.beginCall(untold, call(), NOW)).toMatchObject({ record: { options: null } });
    });

    it('come from the sandbox when the store does not know them', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      await store.attachSandbox(ref.key, generation, sandbox('c1', { options: OPTIONS, settings: SETTINGS }));
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ options: OPTIONS, ...{ ttlMs: 60_000, metadata: SETTINGS.metadata } });
      expect((await store.getSession(ref.key, NOW))!.expiresAt).toBe(NOW + 60_000);
    });

    it('stay when a sandbox brings others', async () => {
      const ref = someRef();
      const begun = await store.beginCall(ref, call(), NOW, { ttl_seconds: 7, metadata: { a: 'b' } });
      if (begun.state !== 'live') throw new Error(begun.state);
      await store.attachSandbox(ref.key, begun.record.generation, sandbox('c1', { options: OPTIONS, settings: SETTINGS }));
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ options: OPTIONS, ttlMs: 7_000, metadata: { a: 'b' } });
    });

    it('change one by one when the session is live, as a use of it', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      const later = NOW + SECOND;
      expect(await store.updateSession(ref.key, { ttl_seconds: 60 }, later)).toMatchObject({
        ttlMs: 60_000,
        metadata: {},
        expiresAt: later + 60_000,
      });
      expect(await store.updateSession(ref.key, { metadata: { a: 'b' } }, later)).toMatchObject({
        generation,
        ttlMs: 60_000,
        metadata: { a: 'b' },
      });
      expect(await store.updateSession(ref.key, {}, later)).toMatchObject({ ttlMs: 60_000, metadata: { a: 'b' } });
      expect(await store.updateSession(ref.key, { ttl_seconds: 1 }, later + 60_000)).toBeNull();
      expect(await store.updateSession(someRef().key, { ttl_seconds: 1 }, NOW)).toBeNull();
    });

    it('count for ends and deadlines of calls when a session has its own', async () => {
      const ref = someRef();
      const hold = call(NOW + 10 * SECOND);
      const begun = await store.beginCall(ref, hold, NOW, { ttl_seconds: 60 });
      if (begun.state !== 'live') throw new Error(begun.state);
      expect(begun.record.expiresAt).toBe(NOW + 70 * SECOND);
      await store.attachSandbox(ref.key, begun.record.generation, sandbox('c1'));
      await store.endCall(ref.key, begun.record.generation, hold.callId, NOW + SECOND);
      expect((await store.getSession(ref.key, NOW))!.expiresAt).toBe(NOW + 61 * SECOND);
    });
  });

  it('forgets a session with its last call when it never had a sandbox', async () => {
    const ref = someRef();
    const [first, second] = [call(NOW + SECOND), call(NOW + SECOND)];
    const { generation } = (await enter(store, ref, first)).record;
    await enter(store, ref, second);
    await store.endCall(ref.key, generation, first.callId, NOW);
    expect(await store.getSession(ref.key, NOW)).not.toBeNull();
    await store.endCall(ref.key, generation, second.callId, NOW);
    expect(await store.getSession(ref.key, NOW)).toBeNull();
    expect((await enter(store, ref)).created).toBe(true);
  });

  it('moves the end of a closing mark when there is one', async () => {
    const ref = someRef();
    expect(await store.keepClosing(ref.key, NOW + SECOND)).toBe(false);
    await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
    expect(await store.keepClosing(ref.key, NOW + 5 * SECOND)).toBe(true);
    expect(await store.beginCall(ref, call(), NOW)).toEqual({ state: 'closing', until: NOW + 5 * SECOND });
    expect(await store.closeSession(ref.key, 'always', NOW + 2 * SECOND, NOW + 9 * SECOND)).toBe(false);
    await store.removeSession(ref.key);
    expect(await store.keepClosing(ref.key, NOW + 9 * SECOND)).toBe(false);
    await idle(store, ref);
    expect(await store.keepClosing(ref.key, NOW + 9 * SECOND)).toBe(false);
    expect((await store.getSession(ref.key, NOW))?.ref).toEqual(ref);
  });

  it('knows a sandbox when a pool keeps it, until its time is over', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await store.keepPooled([one, two], NOW + SECOND);
    expect(await store.findKnown([one, two, randomUUID()], NOW)).toEqual(new Set([one, two]));
    expect(await store.findKnown([one, two], NOW + SECOND)).toEqual(new Set());
    await store.keepPooled([one], NOW + 5 * SECOND);
    expect(await store.findKnown([one, two], NOW + 2 * SECOND)).toEqual(new Set([one]));
    await store.keepPooled([], NOW);
  });

  describe('limits', () => {
    const command = (deadline = NOW + SECOND) => ({ ...call(deadline), command: true });
    const full = (name: string, max: number) => ({ state: 'full', limit: { name, max } });

    beforeEach(async () => {
      const more = {
        DEPLOYMENT: `store-spec-${randomUUID().slice(0, 8)}`,
        MAX_SESSIONS: '5',
        MAX_SESSIONS_PER_USER: '3',
        MAX_CONCURRENT_COMMANDS_PER_SESSION: '2',
        MAX_CONCURRENT_COMMANDS_PER_USER: '3',
      };
      deployment = more.DEPLOYMENT;
      store = openStore(kind, more);
    });
    let deployment: string;
    const refOf = (user: string, session: string) => sessionRef(deployment, { id: user }, session);

    it('refuse a user’s fourth session when three live', async () => {
      const refs = ['a', 'b', 'c'].map((session) => refOf('jwt:u', session));
      for (const ref of refs) await idle(store, ref);
      const fourth = refOf('jwt:u', 'd');
      expect(await store.beginCall(fourth, call(), NOW)).toEqual(full('MAX_SESSIONS_PER_USER', 3));
      expect(await store.getSession(fourth.key, NOW)).toBeNull();
      // An existing session can be entered, and other users can begin sessions.
      expect((await store.beginCall(refs[0]!, call(), NOW)).state).toBe('live');
      expect((await store.beginCall(refOf('jwt:v', 'a'), call(), NOW)).state).toBe('live');
      await store.closeSession(refs[1]!.key, 'always', NOW, NOW + SECOND);
      expect((await store.beginCall(fourth, call(), NOW)).state).toBe('live');
    });

    it('count a user’s sessions past their first expiry when later calls have used them', async () => {
      const refs = ['a', 'b', 'c'].map((session) => refOf('jwt:u', session));
      for (const ref of refs) await idle(store, ref);
      for (const ref of refs) await idle(store, ref, NOW + SECOND);
      expect(await store.beginCall(refOf('jwt:u', 'd'), call(NOW + TTL), NOW + TTL)).toEqual(full('MAX_SESSIONS_PER_USER', 3));
    });

    it('count an expired session for the host, and not for its user, when it is not yet removed', async () => {
      for (const session of ['a', 'b', 'c']) await idle(store, refOf('jwt:u', session));
      for (const session of ['a', 'b']) await idle(store, refOf('jwt:v', session));
      expect(await store.beginCall(refOf('jwt:w', 'a'), call(), NOW)).toEqual(full('MAX_SESSIONS', 5));
      const later = NOW + TTL + SECOND;
      expect(await store.beginCall(refOf('jwt:u', 'd'), call(later), later)).toEqual(full('MAX_SESSIONS', 5));
      const [gone] = await store.listExpired(later, 1);
      await store.closeSession(gone!, 'expired', later, later + SECOND);
      expect(await store.beginCall(refOf('jwt:u', 'd'), call(later), later)).toEqual(full('MAX_SESSIONS', 5));
      await store.removeSession(gone!);
      expect((await store.beginCall(refOf('jwt:u', 'd'), call(later), later)).state).toBe('live');
    });

    it('refuse a command when the session or the user has too many', async () => {
      const [a, b] = [refOf('jwt:u', 'a'), refOf('jwt:u', 'b')];
      const holds = [command(), command()];
      const { generation } = (await enter(store, a, holds[0]!)).record;
      await enter(store, a, holds[1]!);
      expect(await store.beginCall(a, command(), NOW)).toEqual(full('MAX_CONCURRENT_COMMANDS_PER_SESSION', 2));
      expect((await store.beginCall(a, call(), NOW)).state).toBe('live');
      await enter(store, b, command());
      expect(await store.beginCall(b, command(), NOW)).toEqual(full('MAX_CONCURRENT_COMMANDS_PER_USER', 3));
      expect((await store.beginCall(refOf('jwt:v', 'b'), command(), NOW)).state).toBe('live');
      await store.endCall(a.key, generation, holds[0]!.callId, NOW);
      expect((await store.beginCall(b, command(), NOW)).state).toBe('live');
    });

    it('stop counting a dead process’s call when its deadline is over or its session ends', async () => {
      const [a, b] = [refOf('jwt:u', 'a'), refOf('jwt:u', 'b')];
      for (let n = 0; n < 2; n++) await enter(store, a, command(NOW + SECOND));
      await enter(store, b, command(NOW + 10 * SECOND));
      expect((await store.beginCall(b, command(), NOW + SECOND)).state).toBe('full');
      expect((await store.beginCall(b, command(NOW + 10 * SECOND), NOW + 2 * SECOND)).state).toBe('live');
      await enter(store, a, command(NOW + 10 * SECOND), NOW + 2 * SECOND);
      expect((await store.beginCall(a, command(), NOW + 2 * SECOND)).state).toBe('full');
      await store.closeSession(b.key, 'always', NOW, NOW + SECOND);
      expect((await store.beginCall(a, command(), NOW + 2 * SECOND)).state).toBe('live');
    });

    it('count a command while it is resumed, and stop when it is not', async () => {
      const ref = refOf('jwt:u', 'a');
      const [left, running] = [command(NOW + TTL), command(NOW + TTL)];
      await enter(store, ref, left);
      await enter(store, ref, running);
      const later = NOW + COMMAND_LEASE_MS;
      expect((await store.beginCall(ref, command(later + SECOND), later)).state).toBe('full');
      await store.resumeCall(ref, running, later);
      const { generation } = (await enter(store, ref, command(later + SECOND), later + 1)).record;
      expect((await store.beginCall(ref, command(later + SECOND), later + 1)).state).toBe('full');
      // Both commands keep the session alive.
      await store.endCall(ref.key, generation, running.callId, later + 1);
      expect((await store.getSession(ref.key, later + 1))?.expiresAt).toBe(NOW + TTL + TTL);
    });

    it('admit and count a call when it was admitted before', async () => {
      const hold = command();
      for (const session of ['a', 'b', 'c']) await idle(store, refOf('jwt:u', session));
      const forgotten = refOf('jwt:u', 'd');
      expect((await store.resumeCall(forgotten, hold, NOW)).state).toBe('live');
      await store.resumeCall(forgotten, hold, NOW);
      await store.resumeCall(forgotten, command(), NOW);
      expect(await store.beginCall(forgotten, command(), NOW)).toEqual(full('MAX_CONCURRENT_COMMANDS_PER_SESSION', 2));
    });

    it('hold when a hundred calls come at once', async () => {
      const ref = refOf('jwt:u', 'a');
      const results = await Promise.all(Array.from({ length: 100 }, () => store.beginCall(ref, command(), NOW)));
      expect(results.filter(({ state }) => state === 'live')).toHaveLength(2);
      const sessions = Array.from({ length: 100 }, (_, n) => store.beginCall(refOf('jwt:u', `s${n}`), call(), NOW));
      expect((await Promise.all(sessions)).filter(({ state }) => state === 'live')).toHaveLength(2);
    });
  });

  describe('attach', () => {
    it('notes that a sandbox replaced another until one caller takes that', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1', { image: 'i1' }))).toEqual({
        live: true,
        restarted: false,
        created: false,
      });
      expect(await store.takeRestarted(ref.key, generation)).toBe(false);
      expect(await store.attachSandbox(ref.key, generation, sandbox('c2', { image: 'i2' }))).toEqual({
        live: true,
        restarted: true,
        created: false,
      });
      expect(await store.attachSandbox(ref.key, generation, sandbox('c2', { image: 'i2' }))).toEqual({
        live: true,
        restarted: true,
        created: false,
      });
      expect((await enter(store, ref)).record.restarted).toBe(true);
      expect(await store.takeRestarted(ref.key, randomUUID())).toBe(false);
      const taken = await Promise.all(Array.from({ length: 20 }, () => store.takeRestarted(ref.key, generation)));
      expect(taken.filter((mine) => mine)).toHaveLength(1);
      expect((await enter(store, ref)).record.restarted).toBe(false);
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ containerId: 'c2', image: 'i2', createdAt: NOW });
    });

    it('notes a restart when the same sandbox is in another start', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      await store.attachSandbox(ref.key, generation, sandbox('c1'));
      expect((await store.getSession(ref.key, NOW))?.startId).toBe('s1');
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1'))).toMatchObject({ restarted: false });
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1', { startId: 's2' }))).toMatchObject({
        restarted: true,
        created: false,
      });
      expect(await store.getSession(ref.key, NOW)).toMatchObject({ startId: 's2', restarted: true });
      expect(await store.takeRestarted(ref.key, generation)).toBe(true);
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1', { startId: 's2' }))).toMatchObject({ restarted: false });
    });

    it('notes a restart when the store has forgotten the session and its sandbox says so', async () => {
      const [ref, known] = [someRef(), someRef()];
      const { generation } = (await enter(store, ref)).record;
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1', { origin: 'restarted' }))).toMatchObject({
        restarted: true,
        created: false,
      });
      const other = (await enter(store, known)).record.generation;
      await store.attachSandbox(known.key, other, sandbox('c1'));
      // The store has recorded this start before, and that decides: it is no restart.
      expect(await store.attachSandbox(known.key, other, sandbox('c1', { origin: 'restarted' }))).toMatchObject({ restarted: false });
    });

    it('reports created to one call when it made the first sandbox', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      const attach = async (more: object, id = 'c1'): Promise<unknown> => {
        const { live, ...said } = await store.attachSandbox(ref.key, generation, sandbox(id, more));
        return live && said;
      };
      // Another process finds the sandbox before its maker has reported it.
      expect(await attach({ origin: 'found' })).toEqual({ restarted: false, created: false });
      expect(await attach({ origin: 'made' })).toEqual({ restarted: false, created: true });
      expect(await attach({ origin: 'made' })).toEqual({ restarted: false, created: false });
      expect(await attach({ origin: 'made' }, 'c2')).toEqual({ restarted: true, created: false });
    });

    it('reports created to no call when the sandbox is a later one', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await store.attachSandbox(ref.key, generation, sandbox('c1'));
      expect(await store.attachSandbox(ref.key, generation, sandbox('c1', { origin: 'made' }))).toMatchObject({
        restarted: true,
        created: false,
      });
    });

    it('keeps the earlier time when two times of creation differ', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      await store.attachSandbox(ref.key, generation, sandbox('c1', { createdAt: NOW + SECOND }));
      expect((await store.getSession(ref.key, NOW))?.createdAt).toBe(NOW);
      await store.attachSandbox(ref.key, generation, sandbox('c1', { createdAt: NOW - SECOND }));
      expect((await store.getSession(ref.key, NOW))?.createdAt).toBe(NOW - SECOND);
    });

    it('is not live when the generation differs, or the session is closing or unknown', async () => {
      const ref = someRef();
      const generation = await idle(store, ref);
      const container = sandbox('c1');
      expect(await store.attachSandbox(ref.key, randomUUID(), container)).toEqual({ live: false });
      await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
      expect(await store.attachSandbox(ref.key, generation, container)).toEqual({ live: false });
      expect(await store.attachSandbox(someRef().key, generation, container)).toEqual({ live: false });
    });
  });

  describe('list', () => {
    it('has the user’s sessions, oldest first, when they are live', async () => {
      const user = `jwt:${randomUUID()}`;
      const [old, young, expired, closing, removed] = ['old', 'young', 'expired', 'closing', 'removed'].map((name) => someRef(user, name));
      await idle(store, young!, NOW + 2);
      await idle(store, old!, NOW + 1);
      await enter(store, old!, call(), NOW + SECOND);
      await idle(store, expired!, NOW - TTL);
      for (const ref of [closing!, removed!]) {
        await idle(store, ref);
        await store.closeSession(ref.key, 'always', NOW, NOW + SECOND);
      }
      await store.removeSession(removed!.key);
      await idle(store, someRef(undefined, 'old'));
      const listed = await store.listSessions(old!.userKey, NOW);
      expect(listed.map((record) => record.ref.sessionId)).toEqual(['old', 'young']);
      expect(listed).toEqual([await store.getSession(old!.key, NOW), await store.getSession(young!.key, NOW)]);
    });

    it('keeps a session past its first expiry when a later call has used it', async () => {
      const ref = someRef();
      await idle(store, ref);
      await idle(store, ref, NOW + SECOND);
      expect(await store.listSessions(ref.userKey, NOW + TTL)).toMatchObject([{ ref, expiresAt: NOW + SECOND + TTL }]);
      expect(await store.listSessions(ref.userKey, NOW + SECOND + TTL)).toEqual([]);
    });

    it('is bounded when there are many sessions', async () => {
      const user = `jwt:${randomUUID()}`;
      const refs = Array.from({ length: MAX_LISTED + 5 }, (_, i) => someRef(user, `s${i}`));
      await Promise.all(refs.map((ref, i) => enter(store, ref, call(), NOW + i)));
      const listed = await store.listSessions(refs[0]!.userKey, NOW);
      expect(listed).toHaveLength(MAX_LISTED);
      expect(listed.map(({ createdAt }) => createdAt)).toEqual(listed.map(({ createdAt }) => createdAt).sort((a, b) => a - b));
      await Promise.all(refs.map((ref) => store.removeSession(ref.key)));
      expect(await store.listSessions(refs[0]!.userKey, NOW)).toEqual([]);
    });
  });

  describe('close', () => {
    const till = NOW + SECOND;

    it('marks any session when the condition is always', async () => {
      const [used, unknown] = [someRef(), someRef()];
      await enter(store, used, call(NOW + TTL));
      expect(await store.closeSession(used.key, 'always', NOW, till)).toBe(true);
      expect(await store.closeSession(unknown.key, 'always', NOW, till)).toBe(true);
      expect(await store.getSession(used.key, NOW)).toBeNull();
    });

    it('marks a session only if it has expired when the condition is expired', async () => {
      const ref = someRef();
      await idle(store, ref);
      expect(await store.closeSession(ref.key, 'expired', NOW + TTL - 1, till)).toBe(false);
      expect(await store.getSession(ref.key, NOW)).not.toBeNull();
      expect(await store.closeSession(ref.key, 'expired', NOW + TTL, NOW + TTL + 1)).toBe(true);
      expect(await store.closeSession(someRef().key, 'expired', NOW, till)).toBe(false);
    });

    it('marks a session only if it has no record when the condition is unknown', async () => {
      const ref = someRef();
      await idle(store, ref, NOW - 2 * TTL);
      expect(await store.closeSession(ref.key, 'unknown', NOW, till)).toBe(false);
      expect(await store.closeSession(someRef().key, 'unknown', NOW, till)).toBe(true);
    });

    it.each(['always', 'expired', 'unknown'] as const)('takes over another’s mark only when its time is over (%s)', async (condition) => {
      const ref = someRef();
      expect(await store.closeSession(ref.key, 'always', NOW, till)).toBe(true);
      expect(await store.closeSession(ref.key, condition, till - 1, till + SECOND)).toBe(false);
      expect(await store.closeSession(ref.key, condition, till, till + SECOND)).toBe(true);
      expect(await store.beginCall(ref, call(), till)).toEqual({ state: 'closing', until: till + SECOND });
      expect(await store.closeSession(ref.key, condition, till, till + SECOND)).toBe(false);
    });

    it('lets one caller win when a hundred close at once', async () => {
      const ref = someRef();
      await idle(store, ref);
      const won = await Promise.all(
        Array.from({ length: 100 }, () => store.closeSession(ref.key, 'expired', NOW + TTL, NOW + TTL + SECOND)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
    });

    it('succeeds only if begin does not when both come at once', async () => {
      // The in-memory store belongs to one process. So both rivals use the same one.
      const rival = kind === 'memory' ? store : openStore(kind);
      const later = NOW + TTL;
      const winners = { begin: 0, close: 0 };
      for (let round = 0; round < 500; round++) {
        const ref = someRef();
        await idle(store, ref);
        const jitter = (): Promise<void> => sleep(1 + Math.floor(3 * Math.random()));
        const [begun, closed] = await Promise.all([
          jitter().then(() => store.beginCall(ref, call(later), later)),
          jitter().then(() => rival.closeSession(ref.key, 'expired', later, later + SECOND)),
        ]);
        expect(closed).toBe(begun.state === 'closing');
        winners[closed ? 'close' : 'begin']++;
      }
      expect(winners.begin).toBeGreaterThan(0);
      expect(winners.close).toBeGreaterThan(0);
    });
  });

  describe('expired and known', () => {
    it('lists expired sessions and stale marks, the oldest first, when they are asked for', async () => {
      const [first, second, third, used, closing] = Array.from({ length: 5 }, () => someRef());
      // This time is earlier than anything that other tests have left.
      const then = NOW - 1_000 * TTL;
      await idle(store, third!, then + 3);
      await idle(store, first!, then + 1);
      await store.closeSession(second!.key, 'always', then, then + TTL + 2);
      await enter(store, used!, call(then + SECOND), then);
      await store.closeSession(closing!.key, 'always', then, then + 2 * TTL);
      const at = then + TTL + 3;
      expect(await store.listExpired(at, 10)).toEqual([first!.key, second!.key, third!.key]);
      expect(await store.listExpired(at, 2)).toEqual([first!.key, second!.key]);
      await Promise.all([first, second, third, used, closing].map((ref) => store.removeSession(ref!.key)));
      expect(await store.listExpired(at, 10)).toEqual([]);
    });

    it('knows a key when it has a record or a valid closing mark', async () => {
      const [live, expired, closing, stale, unknown] = Array.from({ length: 5 }, () => someRef());
      await idle(store, live!);
      await idle(store, expired!, NOW - 2 * TTL);
      await store.closeSession(closing!.key, 'always', NOW, NOW + SECOND);
      await store.closeSession(stale!.key, 'always', NOW - SECOND, NOW);
      const keys = [live, expired, closing, stale, unknown].map((ref) => ref!.key);
      expect(await store.findKnown(keys, NOW)).toEqual(new Set([live!.key, expired!.key, closing!.key]));
      expect(await store.findKnown([], NOW)).toEqual(new Set());
    });
  });

  describe('jobs', () => {
    const job = (jobId: string, startedAt: number): JobRecord => ({
      jobId,
      containerId: 'c',
      startId: 's',
      command: `é "quoted"\n\0 ${jobId}`,
      startedAt,
      deadline: NOW + 1,
    });

    it('are listed once each, oldest first, and are forgotten when the session is removed', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      expect(await store.listJobs(ref.key)).toEqual([]);
      for (const each of [job('b', 2), job('a', 1), job('b', 2)]) expect(await store.addJob(ref.key, generation, each, 2)).toBe('added');
      expect(await store.listJobs(ref.key)).toEqual([job('a', 1), job('b', 2)]);
      await store.removeJob(ref.key, 'a');
      await store.removeJob(ref.key, 'a');
      expect(await store.listJobs(ref.key)).toEqual([job('b', 2)]);
      await store.closeSession(ref.key, 'always', NOW, NOW + 1000);
      await store.removeSession(ref.key);
      await enter(store, ref);
      expect(await store.listJobs(ref.key)).toEqual([]);
    });

    it('are refused when there are too many, or the generation differs', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => store.addJob(ref.key, generation, job(`${i}`, i), 7)));
      expect(answers.filter((answer) => answer === 'added')).toHaveLength(7);
      expect(answers.filter((answer) => answer === 'full')).toHaveLength(93);
      expect(await store.listJobs(ref.key)).toHaveLength(7);
      expect(await store.addJob(ref.key, 'another', job('x', 1), 100)).toBe('moved');
      expect(await store.addJob('unknown', generation, job('x', 1), 100)).toBe('moved');
    });
  });

  describe('the network of a session', () => {
    const RULES = { allow: ['pypi.org', '*.é"\\:22'] };

    it('has the rules of the first call when a session begins, and null when it gave none', async () => {
      const [given, none, closed] = [someRef(), someRef(), someRef()];
      expect(await store.beginCall(given, call(), NOW, { network: RULES })).toMatchObject({ record: { network: RULES } });
      expect(await store.beginCall(none, call(), NOW, {})).toMatchObject({ record: { network: null } });
      await store.beginCall(closed, call(), NOW, { network: { allow: [] } });
      expect(await store.getSession(closed.key, NOW)).toMatchObject({ network: { allow: [] } });
    });

    it('gets other rules when the session is updated, and keeps them when another setting changes', async () => {
      const ref = someRef();
      await idle(store, ref);
      expect(await store.updateSession(ref.key, { network: RULES }, NOW)).toMatchObject({ network: RULES });
      expect(await store.updateSession(ref.key, { ttl_seconds: 9 }, NOW)).toMatchObject({ network: RULES });
      expect(await store.updateSession(ref.key, { network: { allow: [] } }, NOW)).toMatchObject({ network: { allow: [] }, ttlMs: 9_000 });
    });

    it('takes the rules of its sandbox only when it has none and had no sandbox', async () => {
      const found = (id: string) => sandbox(id, { settings: { network: { allow: [] } } });
      const [fresh, known, given] = [someRef(), someRef(), someRef()];
      await store.attachSandbox(fresh.key, (await enter(store, fresh)).record.generation, found('c1'));
      expect(await store.getSession(fresh.key, NOW)).toMatchObject({ network: { allow: [] } });
      const { generation } = (await enter(store, known)).record;
      await store.attachSandbox(known.key, generation, sandbox('c1', {}));
      await store.attachSandbox(known.key, generation, found('c1'));
      expect(await store.getSession(known.key, NOW)).toMatchObject({ network: null });
      const begun = await store.beginCall(given, call(), NOW, { network: RULES });
      if (begun.state !== 'live') throw new Error(begun.state);
      await store.attachSandbox(given.key, begun.record.generation, found('c1'));
      expect(await store.getSession(given.key, NOW)).toMatchObject({ network: RULES });
    });

    it('keeps the last events, counts all bytes, and forgets both when the session is removed', async () => {
      const ref = someRef();
      const { generation } = (await enter(store, ref)).record;
      expect(await store.addNetworkEvents(ref.key, generation, ['é"\n\0'], 5)).toBe(5);
      expect(await store.readNetwork(ref.key)).toEqual({ events: ['é"\n\0'], bytes: 5 });
      const many = Array.from({ length: MAX_NETWORK_EVENTS + 7 }, (_, at) => `${at}`);
      expect(await store.addNetworkEvents(ref.key, generation, many, 2 ** 40)).toBe(2 ** 40 + 5);
      expect(await store.addNetworkEvents(ref.key, generation, [], 0)).toBe(2 ** 40 + 5);
      expect(await store.readNetwork(ref.key)).toEqual({ events: many.slice(7), bytes: 2 ** 40 + 5 });
      expect(await store.addNetworkEvents(ref.key, 'another', ['x'], 1)).toBeNull();
      expect(await store.addNetworkEvents('unknown', generation, ['x'], 1)).toBeNull();
      await store.closeSession(ref.key, 'always', NOW, NOW + 1000);
      await store.removeSession(ref.key);
      const { generation: next } = (await enter(store, ref)).record;
      expect(await store.readNetwork(ref.key)).toEqual({ events: [], bytes: 0 });
      expect(await store.addNetworkEvents(ref.key, next, [], 0)).toBe(0);
    });
  });

  it('gives a text to one caller when many ask, and to none after its time', async () => {
    await store.putOnce('name', 'old', 60_000);
    await store.putOnce('name', 'é', 60_000);
    await store.putOnce('short', 'x', 1);
    const taken = await Promise.all(Array.from({ length: 20 }, () => store.takeOnce('name')));
    expect(taken.filter((value) => value !== null)).toEqual(['é']);
    await sleep(20);
    expect(await store.takeOnce('short')).toBeNull();
    expect(await store.takeOnce('never')).toBeNull();
  });

  describe('grants of ports', () => {
    const grantOf = (key: string, more: Partial<PortGrant> = {}): PortGrant => ({
      key,
      containerId: 'c0',
      port: 8000,
      expiresAt: store.now() + 60_000,
      ...more,
    });
    const add = (id: string, grant: PortGrant): Promise<void> => store.addPortGrant(id, grant, store.now());
    const found = (id: string): Promise<PortGrant | null> => store.findPortGrant(id, store.now());

    it('are found by every process until they end', async () => {
      const [id, short] = [randomUUID(), randomUUID()];
      const grant = grantOf(someRef().key);
      await add(id, grant);
      await add(short, { ...grant, expiresAt: store.now() + 10 });
      const later = kind === 'redis' ? openStore(kind) : store;
      expect(await later.findPortGrant(id, store.now())).toEqual(grant);
      expect(await later.findPortGrant(id, grant.expiresAt)).toBeNull();
      await sleep(20);
      expect(await found(short)).toBeNull();
      expect(await found('unknown')).toBeNull();
    });

    it('are removed for one port of one session alone', async () => {
      const [{ key }, { key: other }] = [someRef(), someRef()];
      const grants = [grantOf(key), grantOf(key), grantOf(key, { port: 80 }), grantOf(key, { port: 8001 }), grantOf(other)];
      const ids = grants.map(() => randomUUID());
      for (const [n, grant] of grants.entries()) await add(ids[n]!, grant);
      await store.removePortGrants(key, 8000);
      await store.removePortGrants(key, 9999);
      expect(await Promise.all(ids.map(found))).toEqual([null, null, ...grants.slice(2)]);
    });

    it('give up the one that ends first when a session has too many', async () => {
      const [{ key }, { key: other }] = [someRef(), someRef()];
      const first = randomUUID();
      const ids = Array.from({ length: MAX_PORT_GRANTS }, () => randomUUID());
      const rest = ids.slice(1);
      await add(ids[0]!, grantOf(key, { expiresAt: store.now() + 70_000 }));
      await add(first, grantOf(key));
      for (const id of rest) await add(id, grantOf(key, { expiresAt: store.now() + 80_000 }));
      await add('of another session', grantOf(other));
      const there = await Promise.all([first, ...ids].map(found));
      expect(there.map((grant) => grant !== null)).toEqual([false, ...ids.map(() => true)]);
      await store.removePortGrants(key, 8000);
      expect(await Promise.all(ids.map(found))).toEqual(ids.map(() => null));
    });
  });

  it('answers a ping when it is there', async () => {
    await expect(store.ping()).resolves.toBeUndefined();
  });
});

it('takes its time from Redis when the process began with a wrong clock', async () => {
  const wrong = jest.spyOn(performance, 'timeOrigin', 'get').mockReturnValue(0);
  const late = openStore('redis');
  try {
    expect(late.now()).toBeLessThan(Date.now() - 3600 * SECOND);
    await eventually('it has asked Redis', async () => Math.abs(late.now() - Date.now()) < 5 * SECOND);
  } finally {
    wrong.mockRestore();
  }
});
