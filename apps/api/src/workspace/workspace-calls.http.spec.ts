import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type {
  SearchResult,
  Skips,
  WorkspaceEditService,
  WorkspaceEntriesService,
  WorkspaceSearchService,
  WorkspaceService,
} from '@sandbox/orchestrator';
import { refusedFields } from '../../../../test/support/refused-fields';
import { TestApp } from '../../../../test/support/test-app';

const FOUND: Pick<SearchResult, 'matches' | 'skipped'> = {
  matches: [{ path: 'a', line_number: 3, line: 'x' }],
  skipped: [{ path: 'b', reason: 'binary' }],
};
const TAG = '"1f.a"';
const ENTRY = { name: 'a', type: 'file', size: 1, modified: '2025-01-01T00:00:00.000Z' } as const;
const STAT = { path: 'a', type: 'file', size: 1, modified: '2025-01-01T00:00:00.000Z', mode: '0644', etag: TAG } as const;

describe('the workspace API for entries, searches, edits, parts and preconditions', () => {
  let app: TestApp;
  const seen: unknown[][] = [];
  let truncated = false;
  let skips: Skips = { skipped: [] };
  let destroyed = false;

  const entries: Partial<WorkspaceEntriesService> = {
    listEntries: async (_user, session, path, _signal, options) => {
      seen.push([session, path, options]);
      return { entries: [ENTRY], truncated, ...skips, session_created: true };
    },
    deleteEntry: async (_user, _session, path, _signal, conditions) => {
      seen.push([path, conditions]);
      return { path: String(path), session_created: true };
    },
    statEntry: async (_user, session, path) => {
      seen.push([session, path]);
      return STAT;
    },
    moveEntry: async (_user, session, move, _signal, conditions) => {
      seen.push([session, { ...move }, conditions]);
      return { path: String(move.to), etag: TAG };
    },
    makeDirectory: async (_user, session, path) => {
      seen.push([session, path]);
      return { path: String(path), created: true };
    },
  };

  const searches: Partial<WorkspaceSearchService> = {
    searchFiles: async (_user, session, path, { glob, pattern, limit }) => {
      seen.push([session, path, { glob, pattern, limit }]);
      return { ...FOUND, truncated, session_created: true };
    },
  };

  const editing: Partial<WorkspaceEditService> = {
    editFile: async (_user, session, path, edits, _signal, conditions) => {
      seen.push([session, path, edits, conditions]);
      return { diff: '--- a\n', etag: TAG, truncated, session_created: true };
    },
  };

  const PART = { size: 10, modified: ENTRY.modified, etag: TAG, offset: 2, length: 4, ranged: false } as const;
  const workspace: Partial<WorkspaceService> = {
    readText: async (_user, _session, path, _signal, lines) => {
      seen.push([path, lines]);
      return { ...PART, content: 'text', encoding: 'utf8' };
    },
    openRead: async (_user, _session, path, part) => {
      seen.push([path, part]);
      const content = Readable.from([Buffer.from('0123')]);
      content.once('close', () => (destroyed = true));
      return { ...PART, content };
    },
    writeFile: async (_user, _session, path, content, _signal, conditions) => {
      seen.push([path, Buffer.isBuffer(content) ? content.toString() : (await buffer(content)).toString(), conditions]);
      return { path: String(path), size: 4, created: true, etag: TAG, session_created: true };
    },
  };

  beforeAll(async () => {
    app = await TestApp.start({ workspace, entries, searches, edits: editing });
  });
  beforeEach(() => {
    seen.length = 0;
    truncated = destroyed = false;
    skips = { skipped: [] };
  });
  afterAll(() => app.stop());

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch(`/sessions/s/workspace${path}`, { headers });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    app.json('POST', `/sessions/s/workspace${path}`, body, headers);

  it('says what a listing has left out when a part could not be read', async () => {
    skips = { skipped: [{ path: 'a', reason: 'not_readable' }], skipped_total: 60 };
    expect(await (await get('?depth=2')).json()).toEqual({ entries: [ENTRY], ...skips });
  });

  it('lists to a depth and a limit, and says so when there is more', async () => {
    expect(await (await get('?path=d&depth=3&limit=5')).json()).toEqual({ entries: [ENTRY] });
    truncated = true;
    expect(await (await get('?limit=1')).json()).toEqual({ entries: [ENTRY], truncated: true });
    expect(seen).toEqual([
      ['s', 'd', { depth: 3, limit: 5 }],
      ['s', '', { limit: 1 }],
    ]);
  });

  it('describes a file when stat is asked for', async () => {
    const response = await get('/stat?path=a');
    expect([await response.json(), response.headers.get('etag')]).toEqual([STAT, TAG]);
    expect((await get('/stat')).status).toBe(200);
    expect(seen).toEqual([
      ['s', 'a'],
      ['s', ''],
    ]);
  });

  it('moves a file when the body names two paths', async () => {
    const response = await post('/move', { from: 'a', to: 'b/c' }, { 'If-Match': TAG, 'If-None-Match': '*' });
    expect([response.status, await response.json(), response.headers.get('etag')]).toEqual([200, { path: 'b/c', etag: TAG }, TAG]);
    expect((await post('/move', { from: 'a', to: 'b', overwrite: true })).status).toBe(200);
    expect(seen).toEqual([
      ['s', { from: 'a', to: 'b/c' }, { ifMatch: ['1f.a'], ifNoneMatch: '*' }],
      ['s', { from: 'a', to: 'b', overwrite: true }, {}],
    ]);
  });

  it('makes directories when they do not exist', async () => {
    const response = await post('/mkdir', { path: 'a/b' });
    expect([response.status, await response.json()]).toEqual([200, { path: 'a/b', created: true }]);
    expect(seen).toEqual([['s', 'a/b']]);
  });

  it('searches files when a glob or a pattern is given', async () => {
    const response = await get(`/search?path=src&glob=${encodeURIComponent('**/*.py')}&pattern=${encodeURIComponent('a+|\\d')}&limit=7`);
    expect([response.status, await response.json()]).toEqual([200, { ...FOUND, truncated: false }]);
    expect((await get('/search')).status).toBe(200);
    expect(seen).toEqual([
      ['s', 'src', { glob: '**/*.py', pattern: 'a+|\\d', limit: 7 }],
      ['s', '', { limit: 200 }],
    ]);
  });

  it('edits a file when the body has edits', async () => {
    const edits = [
      { old: 'a', new: '' },
      { old: 'b', new: 'c', all: true },
    ];
    const response = await post('/edit', { path: 'f', edits }, { 'If-Match': '*' });
    expect([response.status, await response.json(), response.headers.get('etag')]).toEqual([200, { diff: '--- a\n', etag: TAG }, TAG]);
    truncated = true;
    expect(await (await post('/edit', { path: 'f', edits })).json()).toMatchObject({ truncated: true });
    expect(seen).toEqual([
      ['s', 'f', edits, { ifMatch: '*' }],
      ['s', 'f', edits, {}],
    ]);
  });

  it('refuses a body when it has more than a hundred edits', async () => {
    const edits = (count: number): object[] => Array.from({ length: count }, () => ({ old: 'a', new: 'b' }));
    expect((await post('/edit', { path: 'f', edits: edits(100) })).status).toBe(200);
    expect(await refusedFields(await post('/edit', { path: 'f', edits: edits(101) }))).toEqual(['edits']);
  });

  it.each([
    ['/edit', { path: 'f' }, 'edits', /list of 1 to 100/],
    ['/edit', { path: 'f', edits: [] }, 'edits', /list of 1 to 100/],
    ['/edit', { path: 'f', edits: {} }, 'edits', /list of 1 to 100/],
    ['/edit', { path: 'f', edits: [null] }, 'edits', /^\[0\] must be an object/],
    [
      '/edit',
      {
        path: 'f',
        edits: [
          { old: 'a', new: 'b' },
          { old: '', new: 'b' },
        ],
      },
      'edits',
      /^\[1\]\.old /,
    ],
    ['/edit', { path: 'f', edits: [{ old: 'a' }] }, 'edits', /^\[0\]\.new .*must be a string/],
    ['/edit', { path: 'f', edits: [{ old: 'a', new: 5 }] }, 'edits', /^\[0\]\.new .*must be a string/],
    ['/edit', { path: 'f', edits: [{ old: 'a', new: 'b', all: 'yes' }] }, 'edits', /^\[0\]\.all must be true or false/],
    ['/edit', { path: 'f', edits: [{ old: 'a', new: 'b', regex: true }] }, 'edits', /^\[0\]\.regex is not a known field/],
    ['/edit', { path: 'f', edits: [{ old: '\ud800', new: 'b' }] }, 'edits', /valid Unicode/],
    ['/edit', { path: 5, edits: [{ old: 'a', new: 'b' }] }, 'path', /string/],
    ['/move', { from: 'a' }, 'to', /is missing: give it, or to_base64/],
    ['/move', { from: 'a', from_base64: 'YQ==', to: 'b' }, 'from', /does not go with from_base64/],
    ['/move', { from: 'a', to_base64: 'YQ' }, 'to_base64', /base64/],
    ['/move', { from: '\ud800', to: 'b' }, 'from', /valid Unicode/],
    ['/move', { from: 'a', to: '\udce9' }, 'to', /valid Unicode/],
    ['/edit', { path: 'f', path_base64: '', edits: [{ old: 'a', new: 'b' }] }, 'path', /does not go with path_base64/],
    ['/mkdir', { path: null }, 'path', /string/],
    ['/mkdir', { path_base64: null }, 'path_base64', /base64/],
    ['/mkdir', { path_base64: '_-8=' }, 'path_base64', /base64/],
    ['/mkdir', { path_base64: 'YQ==\n' }, 'path_base64', /base64/],
    ['/mkdir', { path: 'a', 'x\ud800': 1 }, 'x\ufffd', /not a known field/],
    ['/move', { from: 'a', to: 'b', overwrite: 'true' }, 'overwrite', /true or false/],
    ['/move', { from: 'a', to: 'b', force: true }, 'force', /not a known field/],
    ['/move?path=a', { from: 'a', to: 'b' }, 'path', /not a known parameter/],
    ['/mkdir', {}, 'path', /is missing: give it, or path_base64/],
    ['/mkdir', { path: 'a', mode: '0755' }, 'mode', /not a known field/],
    ['/mkdir', { path: 'a', [`${'x'.repeat(99)}😀`]: 1 }, 'x'.repeat(99), /not a known field/],
  ])('answers 422 when POST %s has %j', async (path, body, field, message) => {
    const response = await post(path, body);
    expect(response.status).toBe(422);
    const { errors } = (await response.json()) as { errors: unknown[] };
    expect(errors).toContainEqual({ field, message: expect.stringMatching(message) });
    expect(seen).toEqual([]);
  });

  it.each([
    ['?depth=0', 'depth'],
    ['?depth=21', 'depth'],
    ['?depth=1.5', 'depth'],
    ['?depth=', 'depth'],
    ['?depth=1&depth=2', 'depth'],
    ['?limit=0', 'limit'],
    ['?limit=1000001', 'limit'],
    ['/content?path=f&start_line=0', 'start_line'],
    ['/content?path=f&start_line=-1', 'start_line'],
    ['/content?path=f&end_line=x', 'end_line'],
    ['/content?path=f&start_line=3&end_line=2', 'end_line'],
    ['/search?limit=5001', 'limit'],
    ['/search?limit=05', 'limit'],
    ['/search?pattern=', 'pattern'],
    ['/search?glob=', 'glob'],
    ['/search?glob=%00', 'glob'],
    [`/search?pattern=${'a'.repeat(1001)}`, 'pattern'],
    ['/search?regex=a', 'regex'],
    ['/stat?path=a&path=b', 'path'],
  ])('answers 422 when GET has %s', async (path, field) => {
    const response = await get(path);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: unknown[] }).errors).toContainEqual({ field, message: expect.any(String) });
    expect(seen).toEqual([]);
  });

  it('takes values when they are at the limits', async () => {
    for (const path of [
      '?depth=20&limit=1000000',
      `/search?limit=5000&pattern=${'é'.repeat(1000)}`,
      '/content?path=f&start_line=2&end_line=2',
    ])
      expect([path, (await get(path)).status]).toEqual([path, 200]);
  });

  const BYTES = { Accept: 'application/octet-stream' };

  it('reads lines when they are asked for, in either form', async () => {
    expect((await get('/content?path=f&start_line=2&end_line=3')).status).toBe(200);
    const response = await get('/content?path=f&end_line=3', BYTES);
    expect([response.status, await response.text(), response.headers.get('content-length'), response.headers.get('content-range')]).toEqual(
      [200, '0123', '4', null],
    );
    expect((await get('/content?path=f&start_line=2')).status).toBe(200);
    expect(seen).toEqual([
      ['f', { firstLine: 2, lastLine: 3 }],
      ['f', { firstLine: 1, lastLine: 3 }],
      ['f', { firstLine: 2, lastLine: undefined }],
    ]);
  });

  it('answers 422 when lines and a range are asked for', async () => {
    const response = await get('/content?path=f&start_line=2', { ...BYTES, Range: 'bytes=0-1' });
    const { code, errors } = (await response.json()) as Record<string, unknown>;
    expect([response.status, code, errors]).toEqual([
      422,
      'VALIDATION_FAILED',
      [{ field: 'start_line', message: 'does not go with a Range of bytes' }],
    ]);
    expect(seen).toEqual([]);
  });

  it.each([{}, BYTES])('answers 304 when the client has the file: %j', async (form) => {
    const unchanged = await get('/content?path=f', { ...form, 'If-None-Match': `"x", W/${TAG}` });
    expect([unchanged.status, await unchanged.text(), unchanged.headers.get('etag')]).toEqual([304, '', TAG]);
    const changed = await get('/content?path=f', { ...form, 'If-None-Match': '"x"', 'If-Match': TAG });
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, TAG]);
    await changed.text();
    const other = await get('/content?path=f', { ...form, 'If-Match': '"x"' });
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([412, 'PRECONDITION_FAILED']);
  });

  it('closes a file when it is not sent', async () => {
    expect((await get('/content?path=f', { ...BYTES, 'If-None-Match': TAG })).status).toBe(304);
    expect(destroyed).toBe(true);
  });

  it('passes preconditions on when a call changes a file', async () => {
    const put = await app.fetch('/sessions/s/workspace/content?path=f', { method: 'PUT', body: 'text', headers: { 'If-None-Match': '*' } });
    expect([put.status, put.headers.get('etag')]).toEqual([204, TAG]);
    const headers = { 'If-Match': '"a", W/"b"' };
    expect((await app.fetch('/sessions/s/workspace?path=f', { method: 'DELETE', headers })).status).toBe(204);
    expect(seen).toEqual([
      ['f', 'text', { ifNoneMatch: '*' }],
      ['f', { ifMatch: ['a'] }],
    ]);
  });

  it('refuses a precondition, before anything is done, when it is malformed', async () => {
    for (const headers of [{ 'If-Match': 'abc' }, { 'If-None-Match': '"a' }] as Record<string, string>[]) {
      const calls = [
        app.fetch('/sessions/s/workspace/content?path=f', { method: 'PUT', body: 'text', headers }),
        app.fetch('/sessions/s/workspace?path=f', { method: 'DELETE', headers }),
        get('/content?path=f', headers),
        post('/move', { from: 'a', to: 'b' }, headers),
        post('/edit', { path: 'f', edits: [{ old: 'a', new: 'b' }] }, headers),
      ];
      for (const response of await Promise.all(calls)) {
        expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'BAD_REQUEST']);
      }
    }
    expect(seen).toEqual([]);
  });
});
