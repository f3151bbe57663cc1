import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { type Answer, ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(180_000);

const MAKE = `
import os
def put(name, content):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        file.write(content)
put("main.py", b"import src.a\\n")
put("src/a.py", b"def needle():\\r\\n    pass\\r\\n")
put("src/src/b.py", b"needle = 1\\n")
put("lib/c.js", b"// needle\\n")
put("odd/utf-16.txt", "first\\r\\nneedle \\u00e9\\r\\n".encode("utf-16"))
put("odd/utf-8-sig.txt", b"\\xef\\xbb\\xbfneedle\\n")
put("odd/latin-1.txt", "needle caf\\u00e9\\n".encode("latin-1"))
put("odd/program.bin", b"\\0ELF needle")
put("odd/picture.bin", b"\\0PNG")
put("odd/minified.js", b"x" * 100_000 + b"needle" + b"y" * 1_000_000 + b"far\\nlast needle\\n")
put("odd/large.log", b"line\\n" * (2 << 20) + b"needle at the end\\n")
put("odd/deep/" + "d/" * 120 + "file", b"needle\\n")
os.symlink("/workspace/lib", "odd/inside")
os.symlink("/usr/lib/os-release", "odd/outside")
put("odd/closed/file", b"needle\\n")
os.chmod("odd/closed", 0)
put("slow/a", b"aaa\\n")
put("slow/b", b"a" * 5000 + b"!\\n")
put("slow/c", b"aaa\\n")
`;

const OUTSIDE = (absolute: string): string =>
  `The glob "${absolute}" is outside /workspace, and file calls reach /workspace alone. For "/workspace${absolute}" give "${absolute.slice(1)}". Only a command (execute) can reach "${absolute}".`;

type Query = Record<string, string>;

describe('The service, for searches and listings as agents ask for them,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let rest: Client;
  let tools: Tools;

  beforeAll(async () => {
    service = await Service.start({ deployment });
    rest = service.client(ALICE);
    tools = await Tools.connect(service, ALICE);
    expect(await rest.run('s', 'python3 -', { stdin: MAKE })).toMatchObject({ exit_code: 0 });
  });
  afterAll(async () => {
    await tools?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const search = (query: Query): Promise<Answer<unknown>> =>
    rest.request('GET', `/sessions/s/workspace/search?${new URLSearchParams(query).toString()}`);

  const A = { path: 'src/a.py', line_number: 1, line: 'def needle():' };
  const B = { path: 'src/src/b.py', line_number: 1, line: 'needle = 1' };
  const C = { path: 'lib/c.js', line_number: 1, line: '// needle' };
  const NONE = { truncated: false, skipped: [] };
  const ODD: [path: string, line_number: number, line: string][] = [
    ['odd/large.log', 2 * 1024 * 1024 + 1, 'needle at the end'],
    ['odd/latin-1.txt', 1, 'needle caf\ufffd'],
    ['odd/minified.js', 1, 'x'.repeat(500)],
    ['odd/minified.js', 2, 'last needle'],
    ['odd/utf-16.txt', 2, 'needle é'],
    ['odd/utf-8-sig.txt', 1, 'needle'],
  ];
  const ODD_SKIPPED = [
    { path: 'odd/closed', reason: 'not_readable' },
    { path: `odd/deep${'/d'.repeat(99)}`, reason: 'too_deep' },
    { path: 'odd/inside', reason: 'link' },
    { path: 'odd/minified.js', reason: 'line_too_long' },
    { path: 'odd/outside', reason: 'link' },
    { path: 'odd/program.bin', reason: 'binary' },
  ];

  const ROWS: [sent: Query, answer: object][] = [
    [
      { pattern: 'needle', glob: 'src/**' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: './src/**' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: '/workspace/src/**' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: 'src//*.py' },
      { matches: [A], ...NONE },
    ],
    [
      { pattern: 'needle', glob: 'lib/../src/*.py' },
      { matches: [A], ...NONE },
    ],
    [
      { pattern: 'needle', glob: 'src/' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: '/workspace/**/*.js', path: 'lib' },
      { matches: [C], ...NONE },
    ],
    [
      { pattern: 'needle', glob: '*.py', path: '/workspace/src' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: 'src/*.py', path: 'src' },
      { matches: [A, B], ...NONE },
    ],
    [
      { pattern: 'needle', glob: '/workspace/src/*.py', path: 'src' },
      { matches: [A], ...NONE },
    ],
    [{ glob: './main.py' }, { matches: [{ path: 'main.py' }], ...NONE }],
    [{ glob: '/workspace/*.py' }, { matches: [{ path: 'main.py' }], ...NONE }],
    [
      { pattern: 'needle', path: 'src/a.py' },
      { matches: [A], ...NONE },
    ],
    [
      { pattern: 'needle', path: '/workspace/src/a.py', glob: '*.js' },
      { matches: [A], ...NONE },
    ],
    [{ path: 'src/a.py' }, { matches: [{ path: 'src/a.py' }], ...NONE }],
    [
      { pattern: 'nowhere', path: 'src' },
      { matches: [], ...NONE },
    ],
    [
      { pattern: 'needle', path: 'odd' },
      { matches: ODD.map(([path, line_number, line]) => ({ path, line_number, line })), truncated: false, skipped: ODD_SKIPPED },
    ],
    [
      { pattern: 'café', path: 'odd/latin-1.txt' },
      { matches: [{ path: 'odd/latin-1.txt', line_number: 1, line: 'needle café' }], ...NONE },
    ],
    [
      { pattern: 'far', path: 'odd/minified.js' },
      { matches: [], truncated: false, skipped: [ODD_SKIPPED[3]] },
    ],
    [
      { pattern: '(a+)+$', path: 'slow' },
      {
        matches: [{ path: 'slow/a', line_number: 1, line: 'aaa' }],
        truncated: true,
        skipped: [{ path: 'slow/b', reason: 'timed_out' }],
      },
    ],
  ];

  it.each(ROWS)('gives one answer by REST and MCP when the query is %j', async (sent, answer) => {
    const [rested, called] = await Promise.all([search(sent), tools.call('workspace_search', { session_id: 's', ...sent })]);
    expect(rested.body).toEqual(answer);
    expect(called.structuredContent ?? called.content).toEqual(answer);
  });

  it.each<[sent: Query, status: number, code: string, detail: string]>([
    [{ glob: '/src/**' }, 403, 'PATH_OUTSIDE_WORKSPACE', OUTSIDE('/src/**')],
    [{ glob: '/etc/*' }, 403, 'PATH_OUTSIDE_WORKSPACE', OUTSIDE('/etc/*')],
    [{ glob: '../x' }, 400, 'INVALID_PATH', 'The glob "../x" leads above /workspace, where a relative path starts.'],
    [{ glob: '**/../x' }, 400, 'INVALID_PATTERN', 'The glob has a `..` after a wildcard. Give a glob without `..`.'],
    [
      { glob: '{./src,lib}/**' },
      400,
      'INVALID_PATTERN',
      'In the braces of a glob, give plain relative paths: `{src,lib}/**` and not `{./src,/workspace/lib}/**`.',
    ],
    [
      { glob: '/workspace/lib/**', path: 'src' },
      400,
      'INVALID_PATTERN',
      'The glob is for files that are not in `path`. Give the one or the other, or a relative glob.',
    ],
    [
      { pattern: 'needle\\(\\):\\n' },
      400,
      'INVALID_PATTERN',
      "The pattern is looked for in one line at a time, and this one needs a line end: give one line's part of it.",
    ],
    [
      { pattern: '(a+)+$', path: 'slow/b' },
      422,
      'SEARCH_TIMED_OUT',
      'The search took too long: give a simpler pattern, or a glob or path that leaves fewer files. It was at `slow/b`.',
    ],
  ])('refuses a search by REST and MCP, and says what to do instead, when the query is %j', async (sent, status, code, detail) => {
    const [rested, called] = await Promise.all([search(sent), tools.text('workspace_search', { session_id: 's', ...sent })]);
    expect(rested).toMatchObject({ status, body: { code, detail } });
    expect(called).toBe(`${code}: ${detail}`);
  });

  it('names a directory that it cannot read when the depth of a listing leads into it', async () => {
    const list = async (query: object): Promise<[rest: unknown, tool: unknown]> => {
      const { body } = await rest.request('GET', `/sessions/s/workspace?${new URLSearchParams({ ...query }).toString()}`);
      return [body, (await tools.call('workspace_list', { session_id: 's', ...query })).structuredContent];
    };
    const entries = expect.arrayContaining([expect.objectContaining({ name: 'closed', type: 'dir' })]);
    const told = { entries, skipped: [{ path: 'odd/closed', reason: 'not_readable' }] };
    expect(await list({ path: 'odd', depth: 2 })).toEqual([told, told]);
    expect(await list({ path: 'odd' })).toEqual([{ entries }, { entries }]);
  });

  it('counts all skipped files, and lists only the first, when more than 50 are skipped', async () => {
    await rest.run('many', 'for n in $(seq 60); do printf "\\0needle" > $n; done');
    const answer = await rest.request<{ skipped: unknown[]; skipped_total: number }>(
      'GET',
      '/sessions/many/workspace/search?pattern=needle',
    );
    expect([answer.body.skipped.length, answer.body.skipped_total]).toEqual([49, 60]);
    expect((await tools.call('workspace_search', { session_id: 'many', pattern: 'needle' })).structuredContent).toMatchObject({
      matches: [],
      truncated: false,
      skipped_total: 60,
    });
  });
});
