import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionStore } from '@sandbox/sessions';
import { ReadinessService } from './readiness.service';
import type { DiskBound } from '../options/runtime-capabilities';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';
import type { WarmPool } from '../pool/warm-pool';
import type { ImageProbe } from './image-probe';

const OK = { docker: 'ok', store: 'ok', image: 'ok' };
const never = (): Promise<never> => new Promise(() => undefined);

function setUp() {
  const images = { probe: jest.fn(async () => ({ transport: 'direct' as const, programs: [] })) };
  const runtime = {
    ping: jest.fn(async (): Promise<void> => undefined),
    diskBound: jest.fn(async (): Promise<DiskBound> => 'measured'),
    checkImage: jest.fn(async (): Promise<void> => undefined),
  };
  const store = { ping: jest.fn(async (): Promise<void> => undefined) };
  const pool = { state: { size: 1, hits: 2, misses: 3 } };
  const readiness = new ReadinessService(
    loadConfig({}, { needsAuth: false }),
    store as unknown as SessionStore,
    runtime as unknown as SandboxRuntime,
    pool as unknown as WarmPool,
    images as unknown as ImageProbe,
  );
  return { readiness, runtime, store, images };
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

  it('tells how the disk is bounded once the engine has said it, and is ready without', async () => {
    const { readiness, runtime } = setUp();
    runtime.diskBound.mockRejectedValueOnce(new Error('away'));
    expect([await readiness.checkReadiness(), readiness.disk]).toEqual([OK, null]);
    expect([await readiness.checkReadiness(), readiness.disk]).toEqual([OK, 'measured']);
    await readiness.checkReadiness();
    expect(runtime.diskBound).toHaveBeenCalledTimes(2);
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
    const { readiness, runtime, store, images } = setUp();
    runtime.ping.mockRejectedValue(new Error('connect ENOENT /var/run/docker.sock'));
    store.ping.mockRejectedValue(new SandboxError(ErrorCode.STORE_UNAVAILABLE, 'The store is not available.'));
    runtime.checkImage.mockRejectedValue(new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, 'There is no such image.'));
    expect(await readiness.checkReadiness()).toEqual({
      docker: 'not available',
      store: 'The store is not available.',
      image: 'There is no such image.',
    });
    expect(images.probe).not.toHaveBeenCalled();
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

  it('tries the image, and tells the way to it', async () => {
    const { readiness, images } = setUp();
    expect(readiness.transport).toBe('exec');
    images.probe.mockRejectedValueOnce(new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, 'The image has no python3.'));
    expect(await readiness.checkReadiness()).toEqual({ ...OK, image: 'The image has no python3.' });
    expect(await readiness.checkReadiness()).toEqual(OK);
    expect(readiness.transport).toBe('direct');
  });
});
