import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionStore } from '@sandbox/sessions';
import { openAgentChannel } from '../runtime/start-agent';
import { ReadinessService } from './readiness.service';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';
import type { WarmPool } from '../pool/warm-pool';

jest.mock('../runtime/start-agent', () => ({ openAgentChannel: jest.fn() }));
const openChannel = jest.mocked(openAgentChannel);

const OK = { docker: 'ok', store: 'ok', image: 'ok' };
const never = (): Promise<never> => new Promise(() => undefined);

function setUp() {
  const close = jest.fn();
  openChannel.mockReset().mockResolvedValue({ close } as never);
  const runtime = {
    ping: jest.fn(async (): Promise<void> => undefined),
    checkImage: jest.fn(async (): Promise<void> => undefined),
    ensureSandbox: jest.fn(async (_owner: { key: string }, _options: object) => ({ id: 'probe' })),
    removeSandbox: jest.fn(async (_key: string): Promise<void> => undefined),
  };
  const store = { ping: jest.fn(async (): Promise<void> => undefined) };
  const pool = { state: { size: 1, hits: 2, misses: 3 } };
  const readiness = new ReadinessService(
    store as unknown as SessionStore,
    runtime as unknown as SandboxRuntime,
    pool as unknown as WarmPool,
  );
  return { readiness, runtime, store, close };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('ReadinessService', () => {
  it('says ok for every check, and gives the state of the pool, when everything is there', async () => {
    const { readiness } = setUp();
    expect(await readiness.checkReadiness()).toEqual(OK);
    expect(readiness.pool).toEqual({ size: 1, hits: 2, misses: 3 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('checks once when callers come at the same time, and again when one comes later', async () => {
    const { readiness, runtime, store } = setUp();
    const answers = await Promise.all(Array.from({ length: 20 }, () => readiness.checkReadiness()));
    expect(answers).toEqual(Array.from({ length: 20 }, () => OK));
    expect([runtime.ping.mock.calls.length, store.ping.mock.calls.length]).toEqual([1, 1]);
    await readiness.checkReadiness();
    expect([runtime.ping.mock.calls.length, store.ping.mock.calls.length]).toEqual([2, 2]);
  });

  it('shows the message of a SandboxError, and nothing of an error when it is of another kind', async () => {
    const { readiness, runtime, store } = setUp();
    runtime.ping.mockRejectedValue(new Error('connect ENOENT /var/run/docker.sock'));
    store.ping.mockRejectedValue(new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The store is not available.'));
    runtime.checkImage.mockRejectedValue(new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, 'There is no such image.'));
    expect(await readiness.checkReadiness()).toEqual({
      docker: 'not available',
      store: 'The store is not available.',
      image: 'There is no such image.',
    });
    expect(runtime.ensureSandbox).not.toHaveBeenCalled();
  });

  it.each(['docker', 'store', 'image'] as const)(
    'answers within 3 s when %s says nothing, and of the others as they are',
    async (silent) => {
      const { readiness, runtime, store } = setUp();
      const check = { docker: runtime.ping, store: store.ping, image: runtime.checkImage }[silent];
      check.mockImplementation(never);
      const answer = readiness.checkReadiness();
      await jest.advanceTimersByTimeAsync(3_000);
      expect(await Promise.race([answer, 'still waiting'])).toEqual({ ...OK, [silent]: 'no answer in time' });
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('tries the image once in a sandbox that it removes, and trusts it when it worked', async () => {
    const { readiness, runtime, close } = setUp();
    await readiness.checkReadiness();
    const [owner, options] = runtime.ensureSandbox.mock.lastCall!;
    expect(owner.key).toMatch(/^[0-9a-f]{64}$/);
    expect(options).toEqual({ persistent: false });
    expect(openChannel).toHaveBeenCalledWith(runtime, 'probe');
    expect(close).toHaveBeenCalledTimes(1);
    expect(runtime.removeSandbox.mock.calls).toEqual([[owner.key]]);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(await readiness.checkReadiness()).toEqual(OK);
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(1);
  });

  it('tries an image again after 10 s when it gave no usable sandbox, and removes that sandbox', async () => {
    const { readiness, runtime } = setUp();
    openChannel.mockRejectedValue(new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, 'The image has no python3.'));
    const unusable = { ...OK, image: 'The image has no python3.' };
    expect(await readiness.checkReadiness()).toEqual(unusable);
    expect(runtime.removeSandbox).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(9_000);
    expect(await readiness.checkReadiness()).toEqual(unusable);
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(1);
    openChannel.mockResolvedValue({ close: () => undefined } as never);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await readiness.checkReadiness()).toEqual(OK);
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(2);
  });
});
