import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { LostChanges, WorkspaceStat, WorkspaceWatchService } from '@sandbox/orchestrator';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../../test/support/test-app';
import { messageFrame } from '../protocol/envelopes';

type WatchDirectory = WorkspaceWatchService['watchDirectory'];

const ID = '0123456789abcdef0123456789abcdef';
const alice = expect.objectContaining({ ...userFromApiKey(API_KEY), onlyLive: true }) as User;
const STAT: WorkspaceStat = { path: 'd/a', type: 'file', size: 12, modified: '2025-01-01T00:00:00.000Z', mode: '0644', etag: '"1"' };
const anything = expect.anything() as never;

describe('E2B’s filesystem.Filesystem/WatchDir', () => {
  let app: TestApp;
  const watchDirectory = jest.fn<ReturnType<WatchDirectory>, Parameters<WatchDirectory>>();

  beforeAll(async () => {
    app = await TestApp.start({ watches: { watchDirectory } });
  });
  beforeEach(() => jest.resetAllMocks());
  afterAll(() => app.stop());

  /** The messages of the answer, and last what its end says. */
  async function watch(message: object, headers: Record<string, string> = {}): Promise<unknown[]> {
    const response = await app.fetch('/e2b/sandbox/filesystem.Filesystem/WatchDir', {
      method: 'POST',
      body: new Uint8Array(messageFrame(message)),
      headers: { 'Content-Type': 'application/connect+json', 'E2b-Sandbox-Id': ID, ...headers },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/connect+json']);
    const messages: unknown[] = [];
    for (let rest = Buffer.from(await response.arrayBuffer()); rest.length > 0;) {
      const length = rest.readUInt32BE(1);
      messages.push(JSON.parse(rest.subarray(5, 5 + length).toString()));
      rest = rest.subarray(5 + length);
    }
    return messages;
  }
  const event = (name: string, type: string): object => ({ filesystem: { name, type: `EVENT_TYPE_${type}` } });
  const refusal = (code: string, text: string): object => ({ error: { code, message: expect.stringContaining(text) } });

  it('tells each change, and ends when the directory is gone', async () => {
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, { ready, change }) => {
      await ready();
      for (const type of ['create', 'modify', 'chmod', 'remove'] as const) await change({ type, path: `sub/${type}`, is_dir: false });
      await change({ type: 'rename', path: 'new', from: 'old', is_dir: true });
      return 'directory_gone';
    });
    expect(await watch({ path: '/home/user/d', recursive: true })).toEqual([
      { start: {} },
      event('sub/create', 'CREATE'),
      event('sub/modify', 'WRITE'),
      event('sub/chmod', 'CHMOD'),
      event('sub/remove', 'REMOVE'),
      event('old', 'RENAME'),
      event('new', 'CREATE'),
      {},
    ]);
    const options = { recursive: true, describe: undefined, expiresAt: null };
    expect(watchDirectory).toHaveBeenCalledWith(alice, ID, '/workspace/d', options, anything, anything);
  });

  it('tells what the entry is when asked', async () => {
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, { ready, change }) => {
      await ready();
      await change({ type: 'create', path: 'a', is_dir: false }, STAT);
      await change({ type: 'rename', path: 'a', from: 'b', is_dir: false }, STAT);
      await change({ type: 'modify', path: 'gone', is_dir: false }, null);
      return 'directory_gone';
    });
    const entry = expect.objectContaining({ name: 'a', path: '/workspace/d/a', size: '12', permissions: '-rw-r--r--' }) as object;
    expect(await watch({ path: 'd', includeEntry: true, allowNetworkMounts: true })).toEqual([
      { start: {} },
      { filesystem: { name: 'a', type: 'EVENT_TYPE_CREATE', entry } },
      event('b', 'RENAME'),
      { filesystem: { name: 'a', type: 'EVENT_TYPE_CREATE', entry } },
      event('gone', 'WRITE'),
      {},
    ]);
    expect(watchDirectory.mock.calls[0]![3]).toMatchObject({ describe: true });
  });

  it.each<[LostChanges, string]>([
    [{ reason: 'overflow' }, 'more changes'],
    [{ reason: 'too_many_directories', path: 'a' }, '"a"'],
    [{ reason: 'too_deep', path: 'a' }, 'too deep'],
    [{ reason: 'not_readable', path: 'a' }, 'may not be read'],
  ])('ends with an error when changes are lost: %j', async (lost, text) => {
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, watcher) => {
      await watcher.ready();
      await watcher.lost(lost);
      return 'directory_gone';
    });
    expect(await watch({ path: 'd' })).toEqual([{ start: {} }, refusal('data_loss', text)]);
  });

  it.each(['time_over', 'server_stopping'] as const)('ends with an error when the reason is %s', async (end) => {
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, { ready }) => {
      await ready();
      return end;
    });
    expect(await watch({})).toEqual([{ start: {} }, refusal(end === 'time_over' ? 'deadline_exceeded' : 'internal', '')]);
  });

  it('ends with the error of a watch that breaks off, before it begins or later', async () => {
    watchDirectory.mockRejectedValueOnce(new SandboxError(ErrorCode.NOT_FOUND, 'There is no such file or directory.'));
    expect(await watch({ path: 'd' })).toEqual([refusal('not_found', 'no such file')]);
    watchDirectory.mockImplementationOnce(async (_user, _session, _path, _options, { ready }) => {
      await ready();
      throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
    });
    expect(await watch({ path: 'd' })).toEqual([{ start: {} }, refusal('unavailable', 'ended')]);
  });

  it.each([true, false])('ends when the time of the client is over (ready: %s)', async (isReady) => {
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, { ready }, signal) => {
      if (isReady) await ready();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    });
    const messages = await watch({ path: 'd' }, { 'Connect-Timeout-Ms': '50' });
    expect(messages.at(-1)).toEqual(refusal('deadline_exceeded', 'time'));
    expect(messages).toHaveLength(isReady ? 2 : 1);
  });

  it.each([
    [{ recursive: 'yes' }, 'invalid_argument'],
    [{ depth: 1 }, 'invalid_argument'],
  ])('refuses %j', async (message, code) => {
    expect(await watch(message)).toEqual([refusal(code, '')]);
    expect(watchDirectory).not.toHaveBeenCalled();
  });

  it('refuses another user than the sandbox’s own', async () => {
    const headers = { Authorization: `Basic ${Buffer.from('root:').toString('base64')}`, 'X-API-Key': API_KEY };
    expect(await watch({ path: 'd' }, headers)).toEqual([refusal('unimplemented', 'root')]);
  });
});
