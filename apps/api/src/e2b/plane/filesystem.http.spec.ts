import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { WorkspaceEntriesService, WorkspaceService, WorkspaceStat } from '@sandbox/orchestrator';
import { type User, userFromApiKey } from '@sandbox/sessions';
import { API_KEY, TestApp } from '../../../../../test/support/test-app';

const ID = '0123456789abcdef0123456789abcdef';
const alice = expect.objectContaining({ ...userFromApiKey(API_KEY), onlyLive: true }) as User;
const anySignal = expect.any(AbortSignal) as AbortSignal;

function stat(more: Partial<WorkspaceStat> = {}): WorkspaceStat {
  return { path: 'src/a.py', type: 'file', size: 12, modified: '2025-01-01T00:00:00.000Z', mode: '0644', etag: '"1"', ...more };
}

const INFO = {
  name: 'a.py',
  type: 'FILE_TYPE_FILE',
  path: '/workspace/src/a.py',
  size: '12',
  mode: 0o644,
  permissions: '-rw-r--r--',
  owner: 'user',
  group: 'user',
  modifiedTime: '2025-01-01T00:00:00.000Z',
};

describe('E2B’s files', () => {
  let app: TestApp;
  const written: [path: unknown, content: string][] = [];
  const entries = {
    statEntry: jest.fn<ReturnType<WorkspaceEntriesService['statEntry']>, Parameters<WorkspaceEntriesService['statEntry']>>(),
    makeDirectory: jest.fn(async () => ({ path: 'd', created: true })),
    moveEntry: jest.fn(),
    listEntries: jest.fn<ReturnType<WorkspaceEntriesService['listEntries']>, Parameters<WorkspaceEntriesService['listEntries']>>(),
    deleteEntry: jest.fn(),
  };
  const workspace = {
    openRead: jest.fn<ReturnType<WorkspaceService['openRead']>, Parameters<WorkspaceService['openRead']>>(),
    writeFile: jest.fn(async (_user: User, _session: string, path: unknown, content: unknown) => {
      written.push([path, await text(content as Readable)]);
      return { path: String(path).replace('/workspace/', ''), size: 1, created: true, etag: '"1"', session_created: false };
    }),
  };

  beforeAll(async () => {
    app = await TestApp.start({ entries, workspace });
  });
  beforeEach(() => {
    jest.clearAllMocks();
    written.length = 0;
    entries.statEntry.mockResolvedValue(stat());
    entries.makeDirectory.mockResolvedValue({ path: 'd', created: true });
  });
  afterAll(() => app.stop());

  async function call(method: string, message: object, headers: Record<string, string> = {}): Promise<[number, unknown]> {
    const path = `/e2b/sandbox/filesystem.Filesystem/${method}`;
    const response = await app.json('POST', path, message, { 'E2b-Sandbox-Id': ID, ...headers });
    return [response.status, await response.json()];
  }
  const files = (query: string, init: RequestInit = {}): Promise<Response> =>
    app.fetch(`/e2b/sandbox/files${query}`, { ...init, headers: { 'E2b-Sandbox-Id': ID, ...(init.headers as Record<string, string>) } });

  it.each<[Partial<WorkspaceStat>, object]>([
    [{}, INFO],
    [
      { path: '', type: 'dir', mode: '1750' },
      { ...INFO, name: 'workspace', type: 'FILE_TYPE_DIRECTORY', path: '/workspace', mode: 0o1750, permissions: 'drwxr-x---' },
    ],
    [
      { type: 'symlink', mode: '0777' },
      { ...INFO, type: 'FILE_TYPE_SYMLINK', mode: 0o777, permissions: 'lrwxrwxrwx' },
    ],
  ])('tells of a file that is %j', async (found, info) => {
    entries.statEntry.mockResolvedValue(stat(found));
    expect(await call('Stat', { path: 'src/a.py' })).toEqual([200, { entry: info }]);
    expect(entries.statEntry).toHaveBeenCalledWith(alice, ID, 'src/a.py', anySignal);
  });

  it.each([
    ['/home/user/a', '/workspace/a'],
    ['/home/user', '/workspace'],
    ['~/a', '/workspace/a'],
    ['/home/username', '/home/username'],
    ['a/~/b', 'a/~/b'],
    ['/workspace/a', '/workspace/a'],
    ['/etc/passwd', '/etc/passwd'],
  ])('asks for %s as %s', async (path, own) => {
    expect((await call('Stat', { path }))[0]).toBe(200);
    expect(entries.statEntry).toHaveBeenCalledWith(alice, ID, own, anySignal);
  });

  it('makes a directory once', async () => {
    expect(await call('MakeDir', { path: 'd' })).toEqual([200, { entry: INFO }]);
    entries.makeDirectory.mockResolvedValue({ path: 'd', created: false });
    expect(await call('MakeDir', { path: 'd' })).toEqual([409, { code: 'already_exists', message: expect.any(String) }]);
  });

  it('moves a file over another', async () => {
    expect(await call('Move', { source: 'b', destination: '/home/user/src/a.py' })).toEqual([200, { entry: INFO }]);
    expect(entries.moveEntry).toHaveBeenCalledWith(alice, ID, { from: 'b', to: '/workspace/src/a.py', overwrite: true }, anySignal);
    expect(entries.statEntry).toHaveBeenCalledWith(alice, ID, '/workspace/src/a.py', anySignal);
  });

  it('lists a directory', async () => {
    const found = [
      { name: 'sub', type: 'dir' as const, size: 0, modified: '2025-01-01T00:00:00.000Z' },
      { name: 'sub/a.py', type: 'file' as const, size: 12, modified: '2025-01-01T00:00:00.000Z' },
    ];
    entries.listEntries.mockResolvedValue({ entries: found, truncated: false, skipped: [], session_created: false });
    const { mode: _mode, permissions: _permissions, ...listed } = INFO;
    expect(await call('ListDir', { path: './src/', depth: 2 })).toEqual([
      200,
      {
        entries: [
          { ...listed, name: 'sub', type: 'FILE_TYPE_DIRECTORY', path: '/workspace/src/sub', size: '0' },
          { ...listed, path: '/workspace/src/sub/a.py' },
        ],
      },
    ]);
    expect(entries.listEntries).toHaveBeenCalledWith(alice, ID, './src/', anySignal, { depth: 2 });
    await call('ListDir', {});
    expect(entries.listEntries).toHaveBeenLastCalledWith(alice, ID, '', anySignal, { depth: 1 });
  });

  it('removes what is there, and is content when nothing is', async () => {
    expect(await call('Remove', { path: 'a' })).toEqual([200, {}]);
    entries.deleteEntry.mockRejectedValueOnce(new SandboxError(ErrorCode.NOT_FOUND, 'Nothing.'));
    expect(await call('Remove', { path: 'a' })).toEqual([200, {}]);
    entries.deleteEntry.mockRejectedValueOnce(new SandboxError(ErrorCode.PATH_OUTSIDE_WORKSPACE, 'Outside.'));
    expect(await call('Remove', { path: '/etc' })).toEqual([403, { code: 'permission_denied', message: 'Outside.' }]);
  });

  it.each<[ErrorCode, number, string]>([
    ['NOT_FOUND', 404, 'not_found'],
    ['NOT_A_DIRECTORY', 400, 'invalid_argument'],
    ['INVALID_PATH', 400, 'invalid_argument'],
    ['SESSION_NOT_FOUND', 503, 'unavailable'],
  ])('answers %s as %i %s', async (code, status, told) => {
    entries.statEntry.mockRejectedValue(new SandboxError(code, 'Why.'));
    expect(await call('Stat', { path: 'a' })).toEqual([status, { code: told, message: 'Why.' }]);
  });

  it.each<[string, object, Record<string, string>, string]>([
    ['Stat', { path: 1 }, {}, 'invalid_argument'],
    ['Stat', { more: 1 }, {}, 'invalid_argument'],
    ['ListDir', { path: 'a', depth: 21 }, {}, 'invalid_argument'],
    ['Move', { source: 'a' }, {}, 'invalid_argument'],
    ['Remove', { path: 'a' }, { Authorization: `Basic ${btoa('root:')}` }, 'unimplemented'],
    ['CreateWatcher', { path: 'a' }, {}, 'unimplemented'],
  ])('refuses %s of %j', async (method, message, headers, code) => {
    expect((await call(method, message, headers))[1]).toEqual({ code, message: expect.any(String) });
  });

  describe('GET /files', () => {
    const open = (content: string, ranged = false): void => {
      const part = { size: 10, modified: '2025-01-01T00:00:00.000Z', etag: '"1"', offset: 2, length: content.length, ranged };
      workspace.openRead.mockResolvedValue({ ...part, content: Readable.from([Buffer.from(content)]) });
    };

    it('sends the bytes', async () => {
      open('\0héllo');
      const response = await files('?path=%2Fhome%2Fuser%2Fa%20b&username=user');
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
      expect(workspace.openRead).toHaveBeenCalledWith(alice, ID, '/workspace/a b', undefined, anySignal);
    });

    it('sends a range', async () => {
      open('cde', true);
      const response = await files('?path=a', { headers: { Range: 'bytes=2-4' } });
      expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([206, 'bytes 2-4/10', 'cde']);
    });

    it.each<[ErrorCode, number]>([
      ['NOT_FOUND', 404],
      ['IS_A_DIRECTORY', 400],
      ['PATH_OUTSIDE_WORKSPACE', 403],
      ['SESSION_NOT_FOUND', 502],
    ])('answers %s as %i in E2B’s form', async (code, status) => {
      workspace.openRead.mockRejectedValue(new SandboxError(code, 'Why.'));
      const response = await files('?path=a');
      expect([response.status, await response.json()]).toEqual([status, { code: status, message: 'Why.' }]);
    });

    it('refuses another user and unknown parameters', async () => {
      expect((await files('?path=a&username=root')).status).toBe(501);
      expect((await files('?path=a&more=1')).status).toBe(400);
    });
  });

  describe('POST /files', () => {
    const form = (...parts: [name: string, content: string, file?: string][]): RequestInit => {
      const body = new FormData();
      for (const [name, content, file] of parts) {
        if (file === undefined) body.append(name, content);
        else body.append(name, new Blob([content]), file);
      }
      return { method: 'POST', body };
    };
    const bytes = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): RequestInit => ({
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/octet-stream', ...headers },
    });

    it('writes one file by its path', async () => {
      const response = await files('?path=%2Fhome%2Fuser%2Fd%2Fa', form(['file', 'content', 'ignored']));
      expect([response.status, await response.json()]).toEqual([200, [{ path: '/workspace/d/a', name: 'a', type: 'file' }]]);
      expect(written).toEqual([['/workspace/d/a', 'content']]);
      expect(workspace.writeFile).toHaveBeenCalledWith(alice, ID, '/workspace/d/a', expect.anything(), anySignal);
    });

    it('writes several files by their names', async () => {
      const large = 'x'.repeat(300_000);
      const response = await files('', form(['file', 'one', 'd/1.txt'], ['file', large, '/workspace/ü 2'], ['file', '', '3']));
      expect(((await response.json()) as { path: string }[]).map(({ path }) => path)).toEqual([
        '/workspace/d/1.txt',
        '/workspace/ü 2',
        '/workspace/3',
      ]);
      expect(written).toEqual([
        ['d/1.txt', 'one'],
        ['/workspace/ü 2', large],
        ['3', ''],
      ]);
    });

    it('writes the bytes of the body, also compressed', async () => {
      expect((await files('?path=a', bytes('plain'))).status).toBe(200);
      expect((await files('?path=b', bytes(new Uint8Array(gzipSync('zipped')), { 'Content-Encoding': 'gzip' }))).status).toBe(200);
      expect(written).toEqual([
        ['a', 'plain'],
        ['b', 'zipped'],
      ]);
    });

    it.each<[string, string, RequestInit, number]>([
      ['a body without a path', '', bytes('x'), 400],
      ['a body in another encoding', '?path=a', bytes('x', { 'Content-Encoding': 'br' }), 415],
      ['a body that is no gzip', '?path=a', bytes('x', { 'Content-Encoding': 'gzip' }), 400],
      ['a form without a file', '?path=a', form(), 400],
      ['a form with a field', '?path=a', form(['file', 'x']), 400],
      ['a form with another name', '?path=a', form(['data', 'x', 'a']), 400],
      ['two files for one path', '?path=a', form(['file', 'x', 'a'], ['file', 'y', 'b']), 400],
      ['another content type', '?path=a', { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } }, 415],
      ['metadata', '?path=a', bytes('x', { 'X-Metadata-A': 'b' }), 501],
      ['another user', '?path=a&username=root', bytes('x'), 501],
      [
        'a form that breaks off',
        '?path=a',
        {
          method: 'POST',
          body: '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
          headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
        },
        400,
      ],
    ])('refuses %s', async (_name, query, init, status) => {
      const response = await files(query, init);
      expect([response.status, await response.json()]).toEqual([status, { code: status, message: expect.any(String) }]);
    });

    it('answers why a file could not be written', async () => {
      workspace.writeFile.mockImplementationOnce(async (_user, _session, _path, content) => {
        (content as Readable).destroy();
        throw new SandboxError(ErrorCode.STORAGE_FULL, 'The workspace is full.');
      });
      const response = await files('', form(['file', 'x'.repeat(200_000), 'a'], ['file', 'y', 'b']));
      expect([response.status, await response.json()]).toEqual([507, { code: 507, message: 'The workspace is full.' }]);
    });
  });
});
