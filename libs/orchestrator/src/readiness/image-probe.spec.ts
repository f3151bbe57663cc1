import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { AgentRequest, CallOptions } from '../channel/channel';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';
import { openAgentChannel } from '../runtime/start-agent';
import { ImageProbe } from './image-probe';

jest.mock('../runtime/start-agent', () => ({ openAgentChannel: jest.fn() }));
const openChannel = jest.mocked(openAgentChannel);

const CONFIG = loadConfig({ CONTAINER_IMAGE: 'usual' }, { needsAuth: false });

/** A probe of images in which a shell prints this. */
function setUp(printed: string | Buffer = 'sh\nls\nawk\nls\n', end: object = { exit_code: 0, omitted: { stdout: 0, stderr: 0 } }) {
  const close = jest.fn();
  const sendRequest = jest.fn(async (_request: AgentRequest, { onOutput }: CallOptions) => {
    for (const byte of [printed.slice(0, 4), printed.slice(4)]) await onOutput?.('stdout', Buffer.from(byte));
    return end;
  });
  openChannel.mockReset().mockResolvedValue({ close, sendRequest, transport: 'direct' } as never);
  const runtime = {
    ensureSandbox: jest.fn(async (_owner: { key: string }, _options: object) => ({ id: 'probe' })),
    removeSandbox: jest.fn(async (_key: string): Promise<void> => undefined),
  };
  return { probe: new ImageProbe(CONFIG, runtime as unknown as SandboxRuntime), runtime, close, sendRequest };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('ImageProbe', () => {
  it('tries an image once, in a sandbox that it removes, and lists its programs', async () => {
    const { probe, runtime, close, sendRequest } = setUp();
    const found = { transport: 'direct', programs: ['awk', 'ls', 'sh'] };
    expect(await Promise.all([probe.probe(), probe.probe(), probe.probe('usual')])).toEqual([found, found, found]);
    const [owner, options] = runtime.ensureSandbox.mock.lastCall!;
    expect(owner.key).toMatch(/^[0-9a-f]{64}$/);
    expect(options).toEqual({ persistent: false });
    expect(openChannel).toHaveBeenCalledWith(runtime, 'probe');
    expect(sendRequest.mock.lastCall![0]).toMatchObject({ op: 'exec', shell: 'sh', env: {} });
    expect([close.mock.calls.length, runtime.removeSandbox.mock.calls]).toEqual([1, [[owner.key]]]);
    await jest.advanceTimersByTimeAsync(3_600_000);
    await probe.probe();
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(1);
  });

  it('tries each image for itself', async () => {
    const { probe, runtime } = setUp();
    await Promise.all([probe.probe(), probe.probe('another'), probe.probe('another')]);
    expect(runtime.ensureSandbox.mock.calls.map(([, options]) => options)).toEqual([
      { persistent: false },
      { persistent: false, image: 'another' },
    ]);
  });

  it('tries an image again after 10 s when it gave no usable sandbox, and removes that sandbox', async () => {
    const { probe, runtime } = setUp();
    openChannel.mockRejectedValueOnce(new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, 'The image has no python3.'));
    await expect(probe.probe()).rejects.toThrow('python3');
    expect(runtime.removeSandbox).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(9_000);
    await expect(probe.probe()).rejects.toThrow('python3');
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await probe.probe()).toMatchObject({ programs: ['awk', 'ls', 'sh'] });
    expect(runtime.ensureSandbox).toHaveBeenCalledTimes(2);
  });

  it('lists no name that a caller could not type', async () => {
    const { probe } = setUp('ok\n[\na b\n\u001b[31m\ncaf\u00e9\n*\n\n');
    expect((await probe.probe()).programs).toEqual(['*', '[', 'ok']);
  });

  it.each<[string, string | Buffer, object]>([
    ['the shell fails', 'ls\n', { exit_code: 1, omitted: { stdout: 0 } }],
    ['the list is not whole', 'ls\n', { exit_code: 0, omitted: { stdout: 5 } }],
    ['the answer makes no sense', 'ls\n', {}],
    ['the list is too long', Buffer.alloc(1024 * 1024, 'a\n'), { exit_code: 0, omitted: { stdout: 0 } }],
  ])('counts an image as unusable when %s', async (_, printed, end) => {
    const { probe, close, runtime } = setUp(printed, end);
    await expect(probe.probe()).rejects.toMatchObject({ code: ErrorCode.SANDBOX_LOST });
    expect([close.mock.calls.length, runtime.removeSandbox.mock.calls.length]).toEqual([1, 1]);
  });
});
