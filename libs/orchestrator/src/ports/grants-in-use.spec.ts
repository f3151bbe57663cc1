import { PassThrough } from 'node:stream';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import { GrantsInUse, type Leave } from './grants-in-use';

const CONFIG = loadConfig({ SESSION_STORE: 'memory', SESSION_TTL_SECONDS: '10' }, { needsAuth: false });
const REF = sessionRef(CONFIG.DEPLOYMENT, { id: 'jwt:u' }, 's');
const CHECK_MS = 2_000;

let now: number;
let store: SessionStore;
let grants: GrantsInUse;
const updateSession = jest.fn<ReturnType<SessionStore['updateSession']>, Parameters<SessionStore['updateSession']>>();

/** Gives the session this sandbox. */
async function attach(containerId: string): Promise<void> {
  const begun = await store.beginCall(REF, { callId: 'c', deadline: now }, now);
  if (begun.state !== 'live') throw new Error(begun.state);
  await store.attachSandbox(REF.key, begun.record.generation, { containerId, startId: 's', origin: 'found', image: 'i' });
  await store.endCall(REF.key, begun.record.generation, 'c', now);
}

const leave = (more: Partial<Leave> = {}): Leave => ({ key: REF.key, containerId: 'c1', port: 80, expiresAt: now + 60_000, ...more });
const pass = async (ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 1_000) {
    now += Math.min(left, 1_000);
    await jest.advanceTimersByTimeAsync(Math.min(left, 1_000));
  }
};

beforeEach(async () => {
  jest.useFakeTimers();
  store = createSessionStore(CONFIG);
  now = store.now();
  updateSession.mockReset();
  updateSession.mockImplementation((key, settings, at) => store.updateSession(key, settings, at));
  grants = new GrantsInUse({ now: () => now, updateSession });
  await attach('c1');
});
afterEach(() => {
  grants.close();
  jest.useRealTimers();
});

describe('GrantsInUse', () => {
  it('asks the store once when many use a grant at the same time, and again after a while', async () => {
    const find = jest.fn(async () => leave());
    const uses = await Promise.all(Array.from({ length: 50 }, () => grants.enter('g', find)));
    expect(uses.every((use) => use?.record.containerId === 'c1')).toBe(true);
    await pass(CHECK_MS - 1);
    await grants.enter('g', find);
    expect([find.mock.calls.length, updateSession.mock.calls.length]).toEqual([1, 1]);
    await pass(1);
    await grants.enter('g', find);
    expect(find).toHaveBeenCalledTimes(2);
  });

  it.each<[string, () => Promise<Leave | null>]>([
    ['there is none', async () => null],
    ['it has expired', async () => leave({ expiresAt: now })],
    ['the session has another sandbox', async () => leave({ containerId: 'c0' })],
    ['there is no such session', async () => leave({ key: 'f'.repeat(64) })],
  ])('lets nobody in when %s', async (_, find) => {
    expect(await grants.enter('g', find)).toBeNull();
  });

  it('holds for whichever sandbox the session has when it names none', async () => {
    expect((await grants.enter('g', async () => leave({ containerId: null })))?.record.containerId).toBe('c1');
  });

  it('keeps a session alive while a connection is open, and no longer', async () => {
    const use = await grants.enter('g', async () => leave());
    const stream = await grants.connect(use!, async () => new PassThrough());
    await pass(30_000);
    expect(await store.getSession(REF.key, now)).not.toBeNull();
    stream!.destroy();
    await pass(30_000);
    expect(await store.getSession(REF.key, now)).toBeNull();
    expect(await grants.enter('g', async () => leave({ expiresAt: now + 1_000 }))).toBeNull();
  });

  it.each<[string, (set: (found: Leave | null) => void) => unknown]>([
    ['it is revoked elsewhere', (set) => set(null)],
    ['it expires', () => pass(60_000)],
    ['the session is deleted', () => store.closeSession(REF.key, 'always', now, now + 10_000)],
    ['the sandbox is replaced', () => attach('c2')],
    ['it is revoked here', (set) => (set(null), grants.endWhere(({ grant }) => grant.port === 80))],
  ])('breaks connections off when %s', async (_, happens) => {
    let found: Leave | null = leave();
    const find = async (): Promise<Leave | null> => found;
    const use = await grants.enter('g', find);
    const other = await grants.enter('other', async () => leave({ port: 81, containerId: null, expiresAt: now + 3_600_000 }));
    const stream = (await grants.connect(use!, async () => new PassThrough()))!;
    const kept = (await grants.connect(other!, async () => new PassThrough()))!;
    await happens((value) => (found = value));
    await pass(CHECK_MS);
    const sessionGone = (await store.getSession(REF.key, now)) === null;
    expect([stream.destroyed, kept.destroyed]).toEqual([true, sessionGone]);
    expect(await grants.enter('g', find)).toBeNull();
  });

  it('keeps connections when the store is away for a while', async () => {
    const use = await grants.enter('g', async () => leave());
    const stream = (await grants.connect(use!, async () => new PassThrough()))!;
    updateSession.mockRejectedValue(new Error('away'));
    await pass(5 * CHECK_MS);
    expect(stream.destroyed).toBe(false);
    await expect(grants.enter('g', async () => leave())).rejects.toThrow('away');
    await pass(60_000);
    expect(stream.destroyed).toBe(true);
  });

  it('does not let in who asked before the end', async () => {
    let answer!: (found: Leave) => void;
    const first = new Promise<Leave>((resolve) => (answer = resolve));
    const find = jest.fn<Promise<Leave | null>, []>().mockReturnValueOnce(first).mockResolvedValue(null);
    const entering = grants.enter('g', find);
    grants.endWhere(() => true);
    answer(leave());
    expect(await entering).toBeNull();
  });

  it('gives a connection that takes long to make', async () => {
    const use = await grants.enter('g', async () => leave());
    let made!: (stream: PassThrough) => void;
    const connecting = grants.connect(use!, () => new Promise<PassThrough>((resolve) => (made = resolve)));
    await pass(5 * CHECK_MS);
    const stream = new PassThrough();
    made(stream);
    expect(await connecting).toBe(stream);
    expect(stream.destroyed).toBe(false);
  });

  it('closes a connection that comes after the end', async () => {
    const use = await grants.enter('g', async () => leave());
    const late = new PassThrough();
    const connecting = grants.connect(use!, async () => {
      grants.endWhere(() => true);
      return late;
    });
    expect([await connecting, late.destroyed]).toEqual([null, true]);
    await jest.advanceTimersByTimeAsync(0);
    expect(grants.state).toEqual({ open: 0, total: 1 });
  });

  it('bounds the connections of a session, and counts none that has closed or failed', async () => {
    const use = (await grants.enter('g', async () => leave()))!;
    const open = (): Promise<PassThrough> => grants.connect(use, async () => new PassThrough()) as Promise<PassThrough>;
    for (let n = 0; n < 200; n++) await expect(grants.connect(use, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    const streams = await Promise.all(Array.from({ length: 128 }, open));
    await expect(open()).rejects.toMatchObject({ code: 'TOO_MANY_CONNECTIONS', retryAfter: 1 });
    expect(grants.state).toEqual({ open: 128, total: 128 });
    streams.pop()!.destroy();
    await jest.advanceTimersByTimeAsync(0);
    await expect(open()).resolves.toBeDefined();
  });
});
