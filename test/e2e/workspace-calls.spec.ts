import { Cluster, REPLICATED } from '../support/service/cluster';
import { eventually } from '../support/service/processes';
import type { Answer, Client } from '../support/service/service';

jest.setTimeout(180_000);

const LIMIT = 1024 * 1024;
const HOSTILE_NAMES = [
  '-rf',
  '$(id)',
  "it's",
  '"double"',
  'new\nline',
  'back\\slash',
  '*',
  '[a]{b,c}',
  '~',
  '%2e%2e',
  'é€😀',
  '\x01\x1b[31m',
  'x'.repeat(255),
];

interface Problem {
  code: string;
  detail: string;
}

interface Stat {
  path: string;
  type: string;
  size: number;
  mode: string;
  etag: string;
}

interface Matches {
  matches: { path: string; line_number?: number; line?: string }[];
  truncated: boolean;
}

describe('The service, for file calls', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(REPLICATED);
  });
  afterAll(() => cluster?.stop());

  const url = (session: string, call: string, query: Record<string, string> = {}): string =>
    `/sessions/${encodeURIComponent(session)}/workspace${call}?${new URLSearchParams(query).toString()}`;
  const get = <T = Problem>(session: string, call: string, query: Record<string, string> = {}, headers = {}): Promise<Answer<T>> =>
    cluster.alice.request<T>('GET', url(session, call, query), undefined, { headers });
  const post = <T = Problem>(session: string, call: string, body: object, headers: Record<string, string> = {}): Promise<Answer<T>> =>
    cluster.alice.request<T>('POST', `/sessions/${encodeURIComponent(session)}/workspace${call}`, body, {
      headers: { 'Content-Type': 'application/json', ...headers },
    });
  const put = (
    session: string,
    path: string,
    body: string | Buffer,
    headers: Record<string, string> = {},
    client: Client = cluster.alice,
  ) =>
    client.request<Problem>('PUT', client.workspace(session, path, true), undefined, {
      body: body as RequestInit['body'],
      headers: { 'Content-Type': 'application/octet-stream', ...headers },
    });
  const read = async (session: string, path: string): Promise<string> =>
    (await get<{ content: string }>(session, '/content', { path })).body.content;
  const names = async (session: string, query: Record<string, string> = {}): Promise<string[]> =>
    (await get<{ entries: { name: string }[] }>(session, '', query)).body.entries.map(({ name }) => name);
  const stat = async (session: string, path: string): Promise<Stat> => (await get<Stat>(session, '/stat', { path })).body;
  const search = (session: string, query: Record<string, string>): Promise<Answer<Matches & Problem>> => get(session, '/search', query);
  const refusal = ({ status, body }: Answer<Problem>): [number, string] => [status, body.code];

  /** A directory outside with a secret in it, and links to both from the workspace. */
  const plantLinks = (session: string) =>
    cluster.alice.run(
      session,
      'mkdir -p /tmp/out; echo secret > /tmp/out/secret; ln -s /tmp/out out; ln -s /tmp/out/secret secret; ln -s /etc etc',
    );
  const outside = async (session: string): Promise<string> =>
    (await cluster.alice.run(session, 'ls -A /tmp/out; cat /tmp/out/secret')).stdout;

  describe('list', () => {
    it('lists in order, and follows no link, when a depth is asked for', async () => {
      await cluster.alice.run('list', 'mkdir -p a/b/c d; touch a/b/c/f a/x d/y B; ln -s ../d a/link; ln -s loop loop');
      await plantLinks('list');
      const top = ['B', 'a', 'd', 'etc', 'loop', 'out', 'secret'];
      expect(await names('list')).toEqual(top);
      expect(await names('list', { depth: '1' })).toEqual(top);
      expect(await names('list', { depth: '2' })).toEqual(['B', 'a', 'a/b', 'a/link', 'a/x', 'd', 'd/y', ...top.slice(3)]);
      expect(await names('list', { depth: '20' })).toEqual([
        'B',
        'a',
        'a/b',
        'a/b/c',
        'a/b/c/f',
        'a/link',
        'a/x',
        'd',
        'd/y',
        ...top.slice(3),
      ]);
      expect(await names('list', { depth: '20', path: 'a' })).toEqual(['b', 'b/c', 'b/c/f', 'link', 'x']);
    });

    it('says so when a listing is cut', async () => {
      await cluster.alice.run('cut', 'mkdir d; touch d/1 d/2 d/3');
      const listed = async (limit: string): Promise<[number, boolean | undefined]> => {
        const { body } = await get<{ entries: unknown[]; truncated?: boolean }>('cut', '', { depth: '2', limit });
        return [body.entries.length, body.truncated];
      };
      expect([await listed('3'), await listed('4'), await listed('5')]).toEqual([
        [3, true],
        [4, undefined],
        [4, undefined],
      ]);
    });

    it('answers 422 when depth or limit is wrong', async () => {
      for (const query of ['depth=0', 'depth=21', 'depth=-1', 'depth=1e1', 'limit=0', 'limit=all'].map((text) =>
        Object.fromEntries(new URLSearchParams(text)),
      ))
        expect(refusal(await get('list', '', query))).toEqual([422, 'VALIDATION_FAILED']);
    });
  });

  describe('stat', () => {
    it('describes a file or a link when the path names one', async () => {
      await cluster.alice.run('stat', 'printf 12345 > f; chmod 751 f; mkdir d; mkfifo p');
      await plantLinks('stat');
      const answer = await get<Stat>('stat', '/stat', { path: '/workspace/./f' });
      expect(answer.body).toEqual({
        path: 'f',
        type: 'file',
        size: 5,
        mode: '0751',
        modified: expect.stringMatching(/^\d{4}-.*Z$/),
        etag: expect.stringMatching(/^"[0-9a-f.]+"$/),
      });
      expect(answer.headers.get('etag')).toBe(answer.body.etag);
      const content = await get('stat', '/content', { path: 'f' });
      expect(content.headers.get('etag')).toBe(answer.body.etag);
      for (const [path, type] of [
        ['', 'dir'],
        ['d', 'dir'],
        ['p', 'other'],
        ['out', 'symlink'],
        ['etc', 'symlink'],
      ] as const)
        expect([path, (await stat('stat', path)).type]).toEqual([path, type]);
      expect(refusal(await get('stat', '/stat', { path: 'out/secret' }))).toEqual([403, 'PATH_OUTSIDE_WORKSPACE']);
      expect(refusal(await get('stat', '/stat', { path: 'none' }))).toEqual([404, 'NOT_FOUND']);
      expect(refusal(await get('stat', '/stat', { path: '../x' }))).toEqual([400, 'INVALID_PATH']);
    });
  });

  describe('move and mkdir', () => {
    it('moves a file, and creates parents, when the target has none', async () => {
      await put('move', 'a', 'content');
      const moved = await post<{ path: string; etag: string }>('move', '/move', { from: 'a', to: 'new/dir/b' });
      expect(moved).toMatchObject({ status: 200, body: { path: 'new/dir/b', etag: (await stat('move', 'new/dir/b')).etag } });
      expect(await read('move', 'new/dir/b')).toBe('content');
      expect((await post('move', '/move', { from: 'new/dir', to: 'up' })).status).toBe(200);
      expect(await names('move', { depth: '3' })).toEqual(['new', 'up', 'up/b']);
      expect((await post('move', '/mkdir', { path: 'x/y/z' })).body).toEqual({ path: 'x/y/z', created: true });
      expect((await post('move', '/mkdir', { path: 'x/y/z' })).body).toEqual({ path: 'x/y/z', created: false });
      expect(refusal(await post('move', '/mkdir', { path: 'up/b' }))).toEqual([409, 'ALREADY_EXISTS']);
      expect(refusal(await post('move', '/mkdir', { path: 'up/b/c' }))).toEqual([409, 'NOT_A_DIRECTORY']);
    });

    it('replaces nothing when it is not told to', async () => {
      await cluster.alice.run('over', 'echo one > a; echo two > b; mkdir empty full; touch full/f');
      expect(refusal(await post('over', '/move', { from: 'a', to: 'b' }))).toEqual([409, 'ALREADY_EXISTS']);
      expect(await read('over', 'b')).toBe('two\n');
      expect((await post('over', '/move', { from: 'a', to: 'b', overwrite: true })).status).toBe(200);
      expect([await read('over', 'b'), await names('over')]).toEqual(['one\n', ['b', 'empty', 'full']]);
      expect(refusal(await post('over', '/move', { from: 'b', to: 'full', overwrite: true }))).toEqual([409, 'IS_A_DIRECTORY']);
      expect(refusal(await post('over', '/move', { from: 'empty', to: 'full', overwrite: true }))).toEqual([409, 'ALREADY_EXISTS']);
      expect((await post('over', '/move', { from: 'full', to: 'empty', overwrite: true })).status).toBe(200);
      expect(refusal(await post('over', '/move', { from: 'none', to: 'x' }))).toEqual([404, 'NOT_FOUND']);
    });

    it('refuses to move a directory into itself, or the root, when asked to', async () => {
      await cluster.alice.run('self', 'mkdir -p d/e; ln -s d link');
      for (const [from, to] of [
        ['d', 'd/x'],
        ['d', 'link/x'],
        ['/', 'x'],
        ['d', '/'],
        ['d', '..'],
      ])
        expect([from, to, ...refusal(await post('self', '/move', { from, to }))]).toEqual([from, to, 400, 'INVALID_PATH']);
      expect(await names('self', { depth: '3' })).toEqual(['d', 'd/e', 'link']);
    });

    it('moves a link itself, and follows none out, when a path has one', async () => {
      await plantLinks('moved-links');
      await put('moved-links', 'f', 'mine');
      for (const body of [
        { from: 'f', to: 'out/f' },
        { from: 'out/secret', to: 'stolen' },
        { from: 'f', to: 'etc/f' },
      ])
        expect(refusal(await post('moved-links', '/move', body))).toEqual([403, 'PATH_OUTSIDE_WORKSPACE']);
      for (const path of ['out', 'out/x', 'etc/x'])
        expect(refusal(await post('moved-links', '/mkdir', { path }))).toEqual([403, 'PATH_OUTSIDE_WORKSPACE']);
      expect((await post('moved-links', '/move', { from: 'out', to: 'kept' })).status).toBe(200);
      expect((await post('moved-links', '/move', { from: 'f', to: 'secret', overwrite: true })).status).toBe(200);
      expect(await read('moved-links', 'secret')).toBe('mine');
      expect(await outside('moved-links')).toBe('secret\nsecret\n');
    });
  });

  describe('every call', () => {
    it('keeps a name unchanged when it is hostile', async () => {
      for (const [index, name] of HOSTILE_NAMES.entries()) {
        const path = `d/${name}`;
        expect((await put('names', 'f', `needle ${index}`)).status).toBe(204);
        expect([name, (await post('names', '/move', { from: 'f', to: path })).status]).toEqual([name, 200]);
        expect(await post('names', '/edit', { path, edits: [{ old: 'needle', new: 'found' }] })).toMatchObject({ status: 200 });
        expect((await stat('names', path)).path).toBe(path);
      }
      const sorted = [...HOSTILE_NAMES].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
      expect(await names('names', { depth: '2' })).toEqual(['d', ...sorted.map((name) => `d/${name}`)]);
      const found = (await search('names', { path: 'd', pattern: '^found \\d+$' })).body.matches;
      expect(found).toEqual(sorted.map((name) => ({ path: `d/${name}`, line_number: 1, line: `found ${HOSTILE_NAMES.indexOf(name)}` })));
    });

    it('keeps a name exactly when it is no UTF-8', async () => {
      await cluster.alice.run('bytes', `python3 -c 'open(b"\\xff\\xfe", "w").write("text")'`);
      expect((await post('bytes', '/move', { from_base64: '//4=', to_base64: '//4y' })).body).toMatchObject({
        path: '\ufffd\ufffd2',
        path_base64: '//4y',
      });
      expect((await cluster.alice.run('bytes', `python3 -c 'import os; print(os.listdir(b"."))'`)).stdout).toBe("[b'\\xff\\xfe2']\n");
    });
  });

  describe('search', () => {
    it('finds lines, or files when there is no pattern', async () => {
      await cluster.alice.run(
        'search',
        `mkdir -p src/deep .git; echo 'import os' > src/main.py; printf 'x\\ndef main():\\r\\n' > src/deep/util.py; echo main > notes.txt; printf 'main\\0' > binary; echo main > .git/HEAD`,
      );
      await plantLinks('search');
      expect((await search('search', { pattern: 'main|secret' })).body).toEqual({
        matches: [
          { path: '.git/HEAD', line_number: 1, line: 'main' },
          { path: 'notes.txt', line_number: 1, line: 'main' },
          { path: 'src/deep/util.py', line_number: 2, line: 'def main():' },
        ],
        truncated: false,
        skipped: [
          { path: 'binary', reason: 'binary' },
          { path: 'etc', reason: 'link' },
          { path: 'out', reason: 'link' },
          { path: 'secret', reason: 'link' },
        ],
      });
      expect((await search('search', { glob: '**/*.py' })).body).toEqual({
        matches: [{ path: 'src/deep/util.py' }, { path: 'src/main.py' }],
        truncated: false,
        skipped: [
          { path: 'etc', reason: 'link' },
          { path: 'out', reason: 'link' },
        ],
      });
      expect((await search('search', { glob: '**/*.py', path: 'src/deep', pattern: '^def ' })).body.matches).toHaveLength(1);
      expect(refusal(await search('search', { path: 'out' }))).toEqual([403, 'PATH_OUTSIDE_WORKSPACE']);
      expect(refusal(await search('search', { path: 'secret' }))).toEqual([403, 'PATH_OUTSIDE_WORKSPACE']);
    });

    it('stops when it reaches its limit', async () => {
      await cluster.alice.run('limit', 'seq 1 250 > f');
      const found = async (query: Record<string, string>): Promise<[number, boolean]> => {
        const { body } = await search('limit', { pattern: '.', ...query });
        return [body.matches.length, body.truncated];
      };
      expect(await found({})).toEqual([200, true]);
      expect(await found({ limit: '249' })).toEqual([249, true]);
      expect(await found({ limit: '250' })).toEqual([250, false]);
      expect(await found({ limit: '251' })).toEqual([250, false]);
      expect(refusal(await search('limit', { limit: '5001' }))).toEqual([422, 'VALIDATION_FAILED']);
    });

    it('says what is wrong when a pattern is invalid', async () => {
      for (const pattern of ['(', '*', 'a{2,1}', '(?<', '('.repeat(900)]) {
        const answer = await search('limit', { pattern });
        expect([pattern, ...refusal(answer)]).toEqual([pattern, 400, 'INVALID_PATTERN']);
        expect(answer.body.detail).toMatch(/regular expression/);
      }
      expect(refusal(await search('limit', { glob: '[a' }))).toEqual([400, 'INVALID_PATTERN']);
    });

    it('blocks no other call when a pattern hangs', async () => {
      await cluster.alice.run('hang', `python3 -c 'print("a" * 5000 + "!")' > f`);
      const searches = ['(a+)+$', '(a|aa)+$', '(.*a){30}$'].map((pattern) => search('hang', { pattern }));
      expect((await cluster.alice.run('hang', 'echo meanwhile')).stdout).toBe('meanwhile\n');
      for (const answer of await Promise.all(searches)) expect(refusal(answer)).toEqual([422, 'SEARCH_TIMED_OUT']);
      expect((await search('hang', { pattern: 'a!$' })).body.matches).toEqual([{ path: 'f', line_number: 1, line: 'a'.repeat(500) }]);
      expect(await cluster.alice.run('hang', 'echo after')).toMatchObject({ stdout: 'after\n', session_restarted: false });
    });

    it('ends when its client goes away', async () => {
      await cluster.alice.run('gone', `python3 -c 'print("a" * 5000 + "!")' > f`);
      // A command can see the search by its niceness. It runs at the commands' niceness, which no
      // other process of the agent does.
      const searching = async (): Promise<boolean> =>
        (await cluster.alice.run('gone', `cat /proc/[0-9]*/stat 2>/dev/null | awk '$2 ~ /^.python/ && $19 == 10'`)).stdout !== '';
      const gone = new AbortController();
      const answer = cluster.alice.request('GET', url('gone', '/search', { pattern: '(a+)+$' }), undefined, { signal: gone.signal });
      const ended = answer.then(
        () => 'answered',
        () => 'broken off',
      );
      await eventually('it runs', searching);
      gone.abort();
      expect(await ended).toBe('broken off');
      await eventually('it is gone', async () => !(await searching()));
    });
  });

  describe('edit', () => {
    it('applies all edits in order, and answers a diff, when all match', async () => {
      await put('edit', 'src/f.txt', 'one\ntwo\nthree\n');
      const answer = await post<{ diff: string; etag: string }>('edit', '/edit', {
        path: 'src/f.txt',
        edits: [
          { old: 'two', new: 'deux' },
          { old: 'deux\nthree', new: 'deux\ntrois' },
          { old: 'o', new: 'O', all: true },
        ],
      });
      expect(answer.body).toEqual({
        diff: '--- a/src/f.txt\n+++ b/src/f.txt\n@@ -1,3 +1,3 @@\n-one\n-two\n-three\n+One\n+deux\n+trOis\n',
        etag: (await stat('edit', 'src/f.txt')).etag,
      });
      expect(answer.headers.get('etag')).toBe(answer.body.etag);
      expect(await read('edit', 'src/f.txt')).toBe('One\ndeux\ntrOis\n');
    });

    it('applies no edit when one does not match', async () => {
      await put('none', 'f', 'a b a');
      for (const [edits, detail] of [
        [
          [
            { old: 'b', new: 'c' },
            { old: 'z', new: '' },
          ],
          /^edits\[1\]: `old` matches 0 times/,
        ],
        [
          [
            { old: 'b', new: 'c' },
            { old: 'a', new: 'x' },
          ],
          /^edits\[1\]: `old` matches 2 times/,
        ],
        [[{ old: 'z', new: 'x', all: true }], /^edits\[0\]: `old` matches 0 times/],
      ] as const) {
        const answer = await post('none', '/edit', { path: 'f', edits });
        expect(refusal(answer)).toEqual([409, 'EDIT_NOT_APPLICABLE']);
        expect(answer.body.detail).toMatch(detail);
      }
      expect([await read('none', 'f'), await names('none')]).toEqual(['a b a', ['f']]);
    });

    it('refuses a path when it is no text file of the workspace', async () => {
      await cluster.alice.run('texts', `printf '\\377a' > binary; mkdir dir; mkfifo pipe`);
      await plantLinks('texts');
      for (const [path, status, code] of [
        ['binary', 409, 'EDIT_NOT_APPLICABLE'],
        ['dir', 409, 'IS_A_DIRECTORY'],
        ['pipe', 409, 'NOT_A_REGULAR_FILE'],
        ['none', 404, 'NOT_FOUND'],
        ['secret', 403, 'PATH_OUTSIDE_WORKSPACE'],
        ['out/secret', 403, 'PATH_OUTSIDE_WORKSPACE'],
        ['/', 400, 'INVALID_PATH'],
      ] as const)
        expect([path, ...refusal(await post('texts', '/edit', { path, edits: [{ old: 'a', new: 'b' }] }))]).toEqual([path, status, code]);
      expect(await outside('texts')).toBe('secret\nsecret\n');
    });

    it('refuses a file when it is over the limit before or after', async () => {
      await put('large', 'f', `${'a'.repeat(LIMIT - 2)}bb`);
      const edit = (old: string, text: string) => post('large', '/edit', { path: 'f', edits: [{ old, new: text }] });
      expect(refusal(await edit('bb', 'bbb'))).toEqual([413, 'FILE_TOO_LARGE']);
      expect((await edit('bb', 'cc')).status).toBe(200);
      expect((await edit('cc', 'c')).status).toBe(200);
      expect((await edit('ac', 'acc')).status).toBe(200);
      await cluster.alice.run('large', 'printf x >> f');
      expect(refusal(await edit('cc', 'c'))).toEqual([413, 'FILE_TOO_LARGE']);
    });

    it('loses no edit when many come at once', async () => {
      await put('many', 'f', Array.from({ length: 40 }, (_, index) => `<${index}>\n`).join(''));
      const edits = Array.from({ length: 40 }, (_, index) =>
        post('many', '/edit', { path: 'f', edits: [{ old: `<${index}>`, new: `<${index} done>` }] }),
      );
      for (const answer of await Promise.all(edits)) expect(answer.status).toBe(200);
      expect(await read('many', 'f')).toBe(Array.from({ length: 40 }, (_, index) => `<${index} done>\n`).join(''));
      expect(await names('many')).toEqual(['f']);
    });
  });

  describe('a read by lines', () => {
    it('gives the lines when they are asked for, in either form', async () => {
      await put('lines', 'f', 'one\ntwo\nthree\nfour');
      const lines = async (query: Record<string, string>, headers = {}) =>
        (await get<unknown>('lines', '/content', { path: 'f', ...query }, headers)).body;
      expect(await lines({ start_line: '2', end_line: '3' })).toEqual({ content: 'two\nthree\n', encoding: 'utf8' });
      expect(await lines({ start_line: '4' })).toEqual({ content: 'four', encoding: 'utf8' });
      expect(await lines({ end_line: '1' }, { Accept: 'application/octet-stream' })).toBe('one\n');
      expect(await lines({ start_line: '3', end_line: '99' }, { Accept: 'application/octet-stream' })).toBe('three\nfour');
      expect(refusal(await get('lines', '/content', { path: 'f', start_line: '5' }))).toEqual([416, 'RANGE_NOT_SATISFIABLE']);
      expect(refusal(await get('lines', '/content', { path: 'f', start_line: '3', end_line: '2' }))).toEqual([422, 'VALIDATION_FAILED']);
    });
  });

  describe('a precondition', () => {
    it('refuses a change when the file has changed', async () => {
      const first = (await put('if', 'f', 'one')).headers.get('etag')!;
      expect(first).toBe((await stat('if', 'f')).etag);
      const second = (await put('if', 'f', 'two', { 'If-Match': `"other", ${first}` })).headers.get('etag')!;
      expect(second).not.toBe(first);
      const stale = { 'If-Match': first };
      const remove = (headers: Record<string, string>) =>
        cluster.alice.request<Problem>('DELETE', cluster.alice.workspace('if', 'f'), undefined, { headers });
      const failed = [412, 'PRECONDITION_FAILED'];
      expect(refusal(await put('if', 'f', 'x', stale))).toEqual(failed);
      expect(refusal(await put('if', 'f', 'x', { 'If-None-Match': '*' }))).toEqual(failed);
      expect(refusal(await put('if', 'f', 'x', { 'If-Match': `W/${second}` }))).toEqual(failed);
      expect(refusal(await put('if', 'new/f', 'x', { 'If-Match': '*' }))).toEqual(failed);
      expect(refusal(await post('if', '/edit', { path: 'f', edits: [{ old: 'two', new: 'x' }] }, stale))).toEqual(failed);
      expect(refusal(await post('if', '/move', { from: 'f', to: 'g' }, stale))).toEqual(failed);
      expect(refusal(await remove(stale))).toEqual(failed);
      expect(refusal(await put('if', 'f', 'x', { 'If-Match': second.slice(1) }))).toEqual([400, 'BAD_REQUEST']);
      expect([await read('if', 'f'), await names('if')]).toEqual(['two', ['f']]);

      const edited = await post<{ etag: string }>(
        'if',
        '/edit',
        { path: 'f', edits: [{ old: 'two', new: 'three' }] },
        { 'If-Match': second },
      );
      const moved = await post<{ etag: string }>(
        'if',
        '/move',
        { from: 'f', to: 'g', overwrite: true },
        { 'If-Match': edited.body.etag, 'If-None-Match': '*' },
      );
      expect(moved.status).toBe(200);
      expect(refusal(await post('if', '/move', { from: 'g', to: 'g2' }, { 'If-Match': edited.body.etag }))).toEqual(failed);
      await put('if', 'f', 'new', { 'If-None-Match': '*' });
      expect(refusal(await post('if', '/move', { from: 'g', to: 'f', overwrite: true }, { 'If-None-Match': '*' }))).toEqual(failed);
      expect((await remove({ 'If-Match': (await stat('if', 'f')).etag })).status).toBe(204);
      expect(await names('if')).toEqual(['g']);
    });

    it('fails when a command has changed the file', async () => {
      const tag = (await put('command', 'f', 'one')).headers.get('etag')!;
      await cluster.alice.run('command', 'sleep 0.1; printf two > f');
      expect(refusal(await put('command', 'f', 'three', { 'If-Match': tag }))).toEqual([412, 'PRECONDITION_FAILED']);
      expect(await read('command', 'f')).toBe('two');
    });

    it('answers 304 when the reader has the file', async () => {
      const tag = (await put('cached', 'f', 'content')).headers.get('etag')!;
      for (const Accept of ['application/json', 'application/octet-stream']) {
        const unchanged = await get<string>('cached', '/content', { path: 'f' }, { Accept, 'If-None-Match': tag });
        expect([unchanged.status, unchanged.body, unchanged.headers.get('etag')]).toEqual([304, '', tag]);
        expect((await get('cached', '/content', { path: 'f' }, { Accept, 'If-None-Match': '"other"' })).status).toBe(200);
        expect(refusal(await get('cached', '/content', { path: 'f' }, { Accept, 'If-Match': '"other"' }))).toEqual([
          412,
          'PRECONDITION_FAILED',
        ]);
      }
    });

    it('lets one change win when several come at once to any process', async () => {
      for (let turn = 0; turn < 15; turn++) {
        const tag = (await put('race', 'f', 'start')).headers.get('etag')!;
        const headers = { 'If-Match': tag };
        const answers = await Promise.all([
          ...[1, 2, 3].map((writer) => put('race', 'f', `writer ${writer}`, headers)),
          ...[1, 2, 3].map((editor) => post('race', '/edit', { path: 'f', edits: [{ old: 'start', new: `editor ${editor}` }] }, headers)),
        ]);
        const statuses = answers.map(({ status }) => status);
        expect(statuses.filter((status) => status < 300)).toHaveLength(1);
        expect(statuses.filter((status) => status === 412)).toHaveLength(5);
        const winner = statuses.findIndex((status) => status < 300);
        expect(await read('race', 'f')).toBe(winner < 3 ? `writer ${winner + 1}` : `editor ${winner - 2}`);
      }
    });

    it('lets one call create a file when several come at once', async () => {
      for (let turn = 0; turn < 15; turn++) {
        const answers = await Promise.all([1, 2, 3, 4].map((writer) => put('make', `f${turn}`, `${writer}`, { 'If-None-Match': '*' })));
        const winners = answers.flatMap(({ status }, index) => (status === 204 ? [`${index + 1}`] : []));
        expect(winners).toEqual([await read('make', `f${turn}`)]);
      }
    });
  });

  it('changes files when a command holds locks on them', async () => {
    await put('locks', 'f', 'one');
    await cluster.alice.run('locks', 'flock /workspace -c "touch held; sleep 100" > /dev/null 2>&1 &');
    await eventually('it holds the lock', async () => (await names('locks')).includes('held'));
    expect((await put('locks', 'f', 'two')).status).toBe(204);
    await cluster.alice.run('locks', 'flock / -c "touch held-too; sleep 100" > /dev/null 2>&1 &');
    await eventually('it holds that too', async () => (await names('locks')).includes('held-too'));
    expect(refusal(await put('locks', 'f', 'three'))).toEqual([423, 'WORKSPACE_LOCKED']);
    expect(await read('locks', 'f')).toBe('two');
  });

  it('logs one line, without content, when a call is made', async () => {
    await put('audited', 'f', 'secret-content');
    const calls = [
      ['workspace_stat', 'f', await get('audited', '/stat', { path: 'f' })],
      ['workspace_search', 'd', await search('audited', { path: 'd', pattern: 'secret-pattern' })],
      ['workspace_mkdir', 'd', await post('audited', '/mkdir', { path: 'd' })],
      ['workspace_edit', 'f', await post('audited', '/edit', { path: 'f', edits: [{ old: 'secret-content', new: 'secret-new' }] })],
      ['workspace_move', 'f', await post('audited', '/move', { from: 'f', to: 'd/g' })],
    ] as const;
    const lines = (): Record<string, unknown>[] =>
      cluster.services
        .flatMap(({ child }) => child.output.split('\n'))
        .filter((line) => line.includes('"audited"'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ audit }) => audit === true);
    await eventually('all are logged', async () => lines().length >= calls.length + 1);
    for (const [op, path, { headers }] of calls) {
      const logged = lines().filter((line) => line.request_id === headers.get('x-request-id'));
      expect(logged).toEqual([expect.objectContaining({ op, path, session_id: 'audited' })]);
      expect(logged[0]!.error).toBe(op === 'workspace_search' ? 'NOT_FOUND' : undefined);
      expect(logged[0]!.to).toBe(op === 'workspace_move' ? 'd/g' : undefined);
    }
    for (const { child } of cluster.services) expect(child.output).not.toContain('secret-');
  });

  it('answers the same when a call comes by MCP or REST', async () => {
    const tool = async (name: string, args: object) => {
      const { body } = await cluster.alice.request<{
        result: { isError?: boolean; structuredContent?: unknown; _meta?: { problem: object } };
      }>(
        'POST',
        '/mcp/',
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { session_id: 'mcp', ...args } } },
        { headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' } },
      );
      return body.result;
    };
    await put('mcp', 'f.txt', 'hello\nhello\nworld\n');
    const edits = [{ old: 'world', new: 'moon' }];
    expect((await tool('workspace_edit', { path: 'f.txt', edits })).structuredContent).toEqual({
      diff: '--- a/f.txt\n+++ b/f.txt\n@@ -1,3 +1,3 @@\n hello\n hello\n-world\n+moon\n',
      etag: (await stat('mcp', 'f.txt')).etag,
    });
    expect((await tool('workspace_search', { pattern: 'mo+n', glob: '*.txt' })).structuredContent).toEqual({
      matches: [{ path: 'f.txt', line_number: 3, line: 'moon' }],
      truncated: false,
      skipped: [],
    });
    expect((await tool('workspace_read', { path: 'f.txt', start_line: 3 })).structuredContent).toEqual({
      content: 'moon\n',
      encoding: 'utf8',
    });
    expect((await tool('workspace_list', { depth: 2, limit: 1 })).structuredContent).toMatchObject({ entries: [{ name: 'f.txt' }] });
    const twice = [{ old: 'hello', new: 'x' }];
    for (const [failed, answer] of [
      [await tool('workspace_edit', { path: 'f.txt', edits: twice }), await post('mcp', '/edit', { path: 'f.txt', edits: twice })],
      [await tool('workspace_edit', { path: 'f.txt', edits: [] }), await post('mcp', '/edit', { path: 'f.txt', edits: [] })],
      [await tool('workspace_edit', { path: '/', edits }), await post('mcp', '/edit', { path: '/', edits })],
      [await tool('workspace_search', { pattern: '(' }), await search('mcp', { pattern: '(' })],
      [await tool('workspace_search', { path: 'none' }), await search('mcp', { path: 'none' })],
    ] as const) {
      expect(failed.isError).toBe(true);
      expect(failed._meta!.problem).toEqual({ ...answer.body, request_id: expect.any(String) });
    }
  });
});
