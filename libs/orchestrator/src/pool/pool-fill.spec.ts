import type { Sandbox, SandboxRuntime } from '../runtime/sandbox-runtime';
import { PoolFill } from './pool-fill';
import { PooledSandboxes } from './pooled-sandboxes';

/** Tests when an abandoned claim ends, by a clock that the test moves. */

const SANDBOX = { id: 'c1' } as Sandbox;
const ABANDONED_MS = 15_000;

function setUp() {
  const discardSandbox = jest.fn(async () => true);
  const runtime: Partial<SandboxRuntime> = {
    async *fillPool() {
      yield SANDBOX;
    },
    discardSandbox,
  };
  const pooled = new PooledSandboxes(runtime as SandboxRuntime);
  return { pooled, discardSandbox, filling: new PoolFill(runtime as SandboxRuntime, pooled, 1) };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('PoolFill', () => {
  it('leaves a sandbox alone for 15 s when its claim has begun, and removes it after that', async () => {
    const { filling, pooled, discardSandbox } = setUp();
    pooled.beginClaim({ sandbox: SANDBOX });
    jest.advanceTimersByTime(ABANDONED_MS);
    expect(await filling.fillSlots()).toBe(false);
    expect(discardSandbox).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(await filling.fillSlots()).toBe(true);
    expect(discardSandbox.mock.calls).toEqual([[SANDBOX]]);
  });

  it('reports no vacant slot when a session got the sandbox before it could be removed', async () => {
    const { filling, pooled, discardSandbox } = setUp();
    discardSandbox.mockResolvedValue(false);
    pooled.beginClaim({ sandbox: SANDBOX });
    jest.advanceTimersByTime(ABANDONED_MS + 1);
    expect(await filling.fillSlots()).toBe(false);
    expect(discardSandbox).toHaveBeenCalledTimes(1);
  });
});
