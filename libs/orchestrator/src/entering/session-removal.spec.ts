import type { SessionStore } from '@sandbox/sessions';
import { CLOSING_MS, keptClosed, removeClosed } from './session-removal';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';

const KEY = 'a'.repeat(64);

/** A store and an engine that note, in order, what is asked of them. */
function setUp({ closed = true } = {}) {
  const asked: string[] = [];
  const state = { closed };
  const store = {
    now: () => Date.now(),
    keepClosing: jest.fn(async (_key: string, _until: number) => state.closed),
    removeSession: jest.fn(async (key: string) => void asked.push(`store.remove ${key}`)),
  };
  const runtime = { removeSandbox: jest.fn(async (key: string) => void asked.push(`runtime.remove ${key}`)) };
  return { asked, state, store, runtime, stores: store as unknown as SessionStore, engine: runtime as unknown as SandboxRuntime };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('keptClosed', () => {
  it('renews the mark before it can end, for as long as the removal takes', async () => {
    const { store, stores } = setUp();
    let finish!: (value: string) => void;
    const start = Date.now();
    const result = keptClosed(stores, KEY, () => new Promise<string>((resolve) => (finish = resolve)));
    let end = start + CLOSING_MS;
    for (let second = 1; second <= 60; second++) {
      await jest.advanceTimersByTimeAsync(1_000);
      expect(Date.now()).toBeLessThan(end);
      const last = store.keepClosing.mock.lastCall;
      if (last) end = last[1];
    }
    expect(store.keepClosing.mock.calls.every(([key]) => key === KEY)).toBe(true);
    finish('done');
    expect(await result).toBe('done');
  });

  it.each(['done', 'failed'])('stops renewing the mark when the removal is %s', async (how) => {
    const { store, stores } = setUp();
    const removal = async (): Promise<void> => {
      if (how === 'failed') throw new Error('engine away');
    };
    await keptClosed(stores, KEY, removal).catch((error: Error) => expect(error.message).toBe('engine away'));
    await jest.advanceTimersByTimeAsync(10 * CLOSING_MS);
    expect(store.keepClosing).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('goes on when the store is away for a while', async () => {
    const { store, stores } = setUp();
    store.keepClosing.mockRejectedValueOnce(new Error('store away'));
    const result = keptClosed(stores, KEY, () => new Promise<number>((resolve) => setTimeout(resolve, 7_000, 7)));
    await jest.advanceTimersByTimeAsync(7_000);
    expect(await result).toBe(7);
    expect(store.keepClosing).toHaveBeenCalledTimes(2);
  });

  it('says whether the session is still closed, and renews the mark, when the removal asks', async () => {
    const { store, stores, state } = setUp();
    await keptClosed(stores, KEY, async (isClosed) => {
      expect(await isClosed()).toBe(true);
      expect(store.keepClosing).toHaveBeenLastCalledWith(KEY, Date.now() + CLOSING_MS);
      state.closed = false;
      expect(await isClosed()).toBe(false);
    });
  });

  it('takes the time from its caller when it gives one', async () => {
    const { store, stores } = setUp();
    await keptClosed(
      stores,
      KEY,
      (isClosed) => isClosed(),
      () => 5,
    );
    expect(store.keepClosing).toHaveBeenLastCalledWith(KEY, 5 + CLOSING_MS);
  });
});

describe('removeClosed', () => {
  it('removes the sandbox, then the record', async () => {
    const { asked, stores, engine } = setUp();
    expect(await removeClosed(stores, engine, KEY)).toBe(true);
    expect(asked).toEqual([`runtime.remove ${KEY}`, `store.remove ${KEY}`]);
  });

  it('removes nothing when another process has removed it meanwhile', async () => {
    const { asked, stores, engine } = setUp({ closed: false });
    expect(await removeClosed(stores, engine, KEY)).toBe(false);
    expect(asked).toEqual([]);
  });

  it.each(['the engine', 'the store'])('keeps the record when %s fails, for another to find', async (which) => {
    const { asked, store, stores, engine, runtime } = setUp();
    if (which === 'the engine') runtime.removeSandbox.mockRejectedValue(new Error('away'));
    else store.keepClosing.mockRejectedValue(new Error('away'));
    await expect(removeClosed(stores, engine, KEY)).rejects.toThrow('away');
    expect(asked).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
