import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { WorkspaceWatchService } from '@sandbox/orchestrator';
import { refusedFields } from '../../../../test/support/refused-fields';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

type WatchDirectory = WorkspaceWatchService['watchDirectory'];

const PATH = '/sessions/s/workspace/watch';
const CHANGE = { type: 'create', path: 'é\n', is_dir: false } as const;

describe('GET /sessions/{id}/workspace/watch', () => {
  let app: TestApp;
  const watchDirectory = jest.fn<ReturnType<WatchDirectory>, Parameters<WatchDirectory>>();

  beforeAll(async () => {
    app = await TestApp.start({ watches: { watchDirectory } });
  });
  afterAll(() => app.stop());
  beforeEach(() => {
    jest.clearAllMocks();
    watchDirectory.mockImplementation(async (_user, _session, _path, _options, watcher) => {
      await watcher.ready();
      await watcher.change(CHANGE);
      await watcher.lost({ reason: 'too_deep', path: 'd' });
      return 'directory_gone';
    });
  });
  const get = (query = '', headers: Record<string, string> = {}): Promise<Response> => app.fetch(`${PATH}${query}`, { headers });

  it('sends each change as an event, and the end', async () => {
    const response = await get('?path=d&recursive=true', { Accept: 'text/event-stream' });
    expect([response.status, response.headers.get('content-type'), response.headers.get('x-accel-buffering')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      'no',
    ]);
    expect(await response.text()).toBe(
      [
        'event: ready\ndata: {}\n\n',
        'event: change\ndata: {"type":"create","path":"é\\n","is_dir":false}\n\n',
        'event: lost\ndata: {"reason":"too_deep","path":"d"}\n\n',
        'event: end\ndata: {"reason":"directory_gone"}\n\n',
      ].join(''),
    );
    const [user, session, path, options] = watchDirectory.mock.calls[0]!;
    expect([user.id.slice(0, 4), session, path, options]).toEqual(['key:', 's', 'd', { recursive: true, expiresAt: null }]);
  });

  it('watches the root, and it alone, when nothing is asked for', async () => {
    await (await get()).text();
    await (await get('?path_base64=Y2Fm6Q==&recursive=false', { Accept: '*/*' })).text();
    expect(watchDirectory.mock.calls.map(([, , path, { recursive }]) => [path, recursive])).toEqual([
      ['', false],
      [Buffer.from('caf\xe9', 'latin1'), false],
    ]);
  });

  it('answers with a status when the directory cannot be watched, and with an event after that', async () => {
    watchDirectory.mockRejectedValueOnce(new SandboxError(ErrorCode.NOT_FOUND, 'There is no such file or directory.'));
    const refused = await get();
    expect([refused.status, await refused.json()]).toEqual([404, expect.objectContaining({ code: 'NOT_FOUND' })]);
    watchDirectory.mockImplementationOnce(async (_user, _session, _path, _options, watcher) => {
      await watcher.ready();
      throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
    });
    const broken = await get();
    expect([broken.status, await broken.text()]).toEqual([200, expect.stringContaining('event: error\ndata: {"type":')]);
  });

  it.each([
    ['?recursive=yes', 'recursive'],
    ['?recursive=1', 'recursive'],
    ['?path=a&path_base64=YQ==', 'path'],
    ['?depth=1', 'depth'],
  ])('refuses %s', async (query, field) => {
    expect(await refusedFields(await get(query))).toEqual([field]);
    expect(watchDirectory).not.toHaveBeenCalled();
  });

  it('answers 406 when the client takes no events', async () => {
    const response = await get('', { Accept: 'application/json' });
    expect([response.status, await response.json()]).toEqual([406, expect.objectContaining({ code: 'NOT_ACCEPTABLE' })]);
  });

  it('answers 405 when the method is HEAD', async () => {
    const response = await app.fetch(PATH, { method: 'HEAD' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET']);
    expect(watchDirectory).not.toHaveBeenCalled();
  });

  it('tells the service when the client goes away', async () => {
    let signal: AbortSignal | undefined;
    watchDirectory.mockImplementationOnce(async (_user, _session, _path, _options, watcher, given) => {
      signal = given;
      await watcher.ready();
      await once(given, 'abort');
      throw new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The client closed the request.');
    });
    const call = httpRequest(`${app.url}${PATH}`, { agent: false, headers: { 'X-API-Key': API_KEY } });
    call.end();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    await once(response, 'readable');
    response.on('error', () => undefined).destroy();
    while (!signal!.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('makes the service wait when the client reads nothing', async () => {
    let waited = 0;
    let taken = 0;
    watchDirectory.mockImplementationOnce(async (_user, _session, _path, _options, watcher, given) => {
      await watcher.ready();
      const path = 'x'.repeat(4000);
      while (!given.aborted && waited === 0) {
        const pending = watcher.change({ ...CHANGE, path });
        taken += 1;
        if (pending === undefined) continue;
        const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), 200));
        if ((await Promise.race([pending, late])) === 'late') waited += 1;
      }
      return 'directory_gone';
    });
    const call = httpRequest(`${app.url}${PATH}`, { agent: false, headers: { 'X-API-Key': API_KEY } });
    call.end();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    while (waited === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(taken).toBeLessThan(50_000);
    response.on('error', () => undefined).destroy();
  });
});
