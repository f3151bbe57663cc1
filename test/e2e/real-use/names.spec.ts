import type { RequestOptions } from '@sandbox/client';
import { Tools } from '../../support/service/mcp';
import { eventually } from '../../support/service/processes';
import { TestDeployment } from '../../support/service/deployment';
import { type Answer, ALICE, type Client, Service } from '../../support/service/service';
import { tar } from '../../support/service/tar';

jest.setTimeout(180_000);

const SESSION = 'names';
/** Names by their bytes. The byte 0xe9 is é in Latin-1, but is not valid UTF-8 here. */
const bytes = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
const base64 = (latin1: string): string => bytes(latin1).toString('base64');
/** @returns how a shell command writes a name */
const inShell = (latin1: string): string =>
  `"$(printf '${[...bytes(latin1)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}')"`;

/** `rest` and `tools` check that every answer is valid Unicode. */
describe('Names that are not UTF-8, and text that is cut,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let rest: Client;
  let tools: Tools;

  beforeAll(async () => {
    service = await Service.start({ deployment, env: { MCP_MAX_OUTPUT_CHARS: '1001', EXEC_MAX_OUTPUT_BYTES: '40001' } });
    rest = service.client(ALICE);
    tools = await Tools.connect(service, ALICE);
    await rest.run(
      SESSION,
      `mkdir ${inShell('d\xff')} && printf 'needle\\n' | tee ${inShell('caf\xe9.txt')} ${inShell('d\xff/\xfe')} plain.txt`,
    );
  });
  afterAll(async () => {
    await tools?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const send = <T>(method: string, call: string, query: Record<string, string> = {}, body?: unknown, init?: RequestOptions) => {
    const text = new URLSearchParams(query).toString();
    return rest.request<T>(method, `/sessions/${SESSION}/workspace${call}${text && `?${text}`}`, body, init);
  };
  const tool = async (name: string, args: Record<string, unknown>): Promise<unknown> =>
    (await tools.call(name, { session_id: SESSION, ...args })).structuredContent;
  const there = async (latin1: string): Promise<string> => (await rest.run(SESSION, `cat ${inShell(latin1)} || echo none`)).stdout;

  const ENTRY = { type: 'file', size: 7, modified: expect.any(String) };
  const ENTRIES = [
    { ...ENTRY, name: 'caf\ufffd.txt', name_base64: base64('caf\xe9.txt') },
    { ...ENTRY, name: 'd\ufffd', name_base64: base64('d\xff'), type: 'dir', size: expect.any(Number) },
    { ...ENTRY, name: 'd\ufffd/\ufffd', name_base64: base64('d\xff/\xfe') },
    { ...ENTRY, name: 'plain.txt' },
  ];
  const MATCHES = [
    { path: 'caf\ufffd.txt', path_base64: base64('caf\xe9.txt'), line_number: 1, line: 'needle' },
    { path: 'd\ufffd/\ufffd', path_base64: base64('d\xff/\xfe'), line_number: 1, line: 'needle' },
    { path: 'plain.txt', line_number: 1, line: 'needle' },
  ];

  it('are shown in two fields when they are listed or found, and other names in one', async () => {
    expect((await send('GET', '', { depth: '2' })).body).toEqual({ entries: ENTRIES });
    expect((await send('GET', '', { path_base64: base64('/workspace/d\xff') })).body).toEqual({
      entries: [{ ...ENTRY, name: '\ufffd', name_base64: base64('\xfe') }],
    });
    expect((await send<{ matches: unknown }>('GET', '/search', { pattern: 'needle' })).body.matches).toEqual(MATCHES);
    expect(await tool('workspace_list', { depth: 2 })).toEqual({ entries: ENTRIES });
    expect(await tool('workspace_search', { pattern: 'needle' })).toMatchObject({ matches: MATCHES });
    expect(await tool('workspace_search', { pattern: 'needle', path_base64: base64('d\xff') })).toMatchObject({ matches: [MATCHES[1]] });
  });

  it.each<[what: string, send: () => Promise<Answer<unknown>>, answer: object, name: string, content: string]>([
    [
      'read',
      () => send('GET', '/content', { path_base64: base64('caf\xe9.txt') }),
      { body: { content: 'needle\n', encoding: 'utf8' } },
      'caf\xe9.txt',
      'needle\n',
    ],
    [
      'read as bytes',
      () =>
        send('GET', '/content', { path_base64: base64('/workspace/d\xff/./\xfe') }, undefined, {
          headers: { Accept: 'application/octet-stream' },
        }),
      { body: 'needle\n' },
      'd\xff/\xfe',
      'needle\n',
    ],
    [
      'looked at',
      () => send('GET', '/stat', { path_base64: base64('d\xff') }),
      { body: { path: 'd\ufffd', path_base64: base64('d\xff'), type: 'dir' } },
      'plain.txt',
      'needle\n',
    ],
    ['written', () => send('PUT', '/content', { path_base64: base64('w\xff/\x80') }, { content: 'w' }), { status: 204 }, 'w\xff/\x80', 'w'],
    [
      'uploaded',
      () => {
        const form = new FormData();
        form.append('file', new Blob(['u']), 'x');
        return send('POST', '/upload', { path_base64: base64('w\xff/u\xff') }, undefined, { body: form });
      },
      { status: 201, body: { path: 'w\ufffd/u\ufffd', path_base64: base64('w\xff/u\xff'), size: 1 } },
      'w\xff/u\xff',
      'u',
    ],
    [
      'made',
      () => send('POST', '/mkdir', {}, { path_base64: base64('m\xff/n') }),
      { body: { path: 'm\ufffd/n', path_base64: base64('m\xff/n'), created: true } },
      'plain.txt',
      'needle\n',
    ],
    ['moved', () => send('POST', '/move', {}, { from_base64: base64('w\xff/\x80'), to: 'é' }), { body: { path: 'é' } }, '\xc3\xa9', 'w'],
    [
      'moved to',
      () => send('POST', '/move', {}, { from: 'é', to_base64: base64('w\xff/\x80') }),
      { body: { path: 'w\ufffd/\ufffd', path_base64: base64('w\xff/\x80') } },
      'w\xff/\x80',
      'w',
    ],
    [
      'edited',
      () => send('POST', '/edit', {}, { path_base64: base64('w\xff/\x80'), edits: [{ old: 'w', new: 'W' }] }),
      { body: { diff: expect.stringMatching(/^--- "a\/w\\377\/\\200"\n/) } },
      'w\xff/\x80',
      'W',
    ],
    [
      'unpacked into',
      () =>
        send('PUT', '/archive', { path_base64: base64('a\xff') }, undefined, {
          body: new Uint8Array(tar([{ name: 'f', content: Buffer.from('in') }])),
          headers: { 'Content-Type': 'application/x-tar' },
        }),
      { status: 200, body: { entries: 1 } },
      'a\xff/f',
      'in',
    ],
    [
      'packed',
      () => send('GET', '/archive', { path_base64: base64('a\xff') }),
      { status: 200, body: expect.stringMatching(/^f\0/) },
      'a\xff/f',
      'in',
    ],
    ['deleted', () => send('DELETE', '', { path_base64: base64('a\xff') }), { status: 204 }, 'a\xff/f', 'none\n'],
  ])('are %s when the call has their bytes', async (_what, call, answer, name, content) => {
    expect(await call()).toMatchObject(answer);
    expect(await there(name)).toBe(content);
  });

  it.each<[tool: string, args: Record<string, unknown>, answer: object, content: string]>([
    ['workspace_write', { content: 'x' }, { path: 't\ufffd', path_base64: base64('t\xff'), size: 1 }, 'x'],
    ['workspace_read', {}, { content: 'x', encoding: 'utf8' }, 'x'],
    ['workspace_edit', { edits: [{ old: 'x', new: 'y' }] }, { diff: expect.stringContaining('+y') }, 'y'],
    ['workspace_delete', {}, { status: 'deleted', path: 't\ufffd', path_base64: base64('t\xff') }, 'none\n'],
  ])('are accepted when the tool is %s', async (name, args, answer, content) => {
    expect(await tool(name, { path_base64: base64('t\xff'), ...args })).toMatchObject(answer);
    // The answer alone would be right too if every name were mangled alike.
    expect(await there('t\xff')).toBe(content);
  });

  it.each<[query: Record<string, string>, status: number, code: string, detail: RegExp]>([
    [{ path_base64: base64('/tmp/\xff') }, 403, 'PATH_OUTSIDE_WORKSPACE', /give path_base64 "dG1wL\/8="\./],
    [{ path_base64: base64('/tmp/x') }, 403, 'PATH_OUTSIDE_WORKSPACE', /give "tmp\/x"\./],
    [{ path_base64: base64('\xff/../../x') }, 400, 'INVALID_PATH', /leads above/],
    [{ path_base64: base64('a\0b') }, 400, 'INVALID_PATH', /NUL/],
    [{ path_base64: base64('caf\xe9'), path: 'caf\ufffd' }, 422, 'VALIDATION_FAILED', /path does not go with path_base64/],
    [{ path_base64: 'Y2Fm6Q' }, 422, 'VALIDATION_FAILED', /path_base64 must be base64 in the standard alphabet/],
    [{ path_base64: 'Y2Fm-_==' }, 422, 'VALIDATION_FAILED', /path_base64 must be base64/],
    [{}, 422, 'VALIDATION_FAILED', /path is missing: give it, or path_base64/],
    [{ path: 'caf\ufffd.txt' }, 404, 'NOT_FOUND', /no such file/],
  ])('are refused, by REST and MCP, when the path is %j', async (query, status, code, detail) => {
    const { status: answered, body } = await send<{ code: string; detail: string }>('GET', '/content', query);
    expect([answered, body.code, body.detail]).toEqual([status, code, expect.stringMatching(detail)]);
    expect(await tools.text('workspace_read', { session_id: SESSION, ...query })).toMatch(new RegExp(`^${code}: .*${detail.source}`));
  });

  it.each<[where: string, call: () => Promise<Answer<unknown>>]>([
    ['a path', () => send('POST', '/move', {}, { from: '\ud800', to: 'x' })],
    ['one that Python would take for a byte', () => send('POST', '/mkdir', {}, { path: '\udcff' })],
    ['a command', () => rest.execute(SESSION, 'echo \ud800')],
    ['a session id', () => rest.execute('\udc00', 'true')],
    ['a variable', () => rest.execute(SESSION, 'true', { env: { A: '\ud800' } })],
    ['a working directory', () => rest.execute(SESSION, 'true', { working_dir: '\ud800' })],
    ['stdin', () => rest.execute(SESSION, 'cat', { stdin: '\ud800' })],
    ['the name of a field', () => rest.execute(SESSION, 'true', { '\ud800': 1 })],
    ['metadata', () => rest.request('POST', '/sessions', { session_id: 'x', metadata: { a: '\ud800' } })],
    ['the name of metadata', () => rest.request('POST', '/sessions', { session_id: 'x', metadata: { '\ud800': 'a' } })],
    ['content', () => send('PUT', '/content', { path: 'x' }, { content: '\ud800' })],
    ['a text to find', () => send('POST', '/edit', {}, { path: 'plain.txt', edits: [{ old: '\ud800', new: '' }] })],
    ['the name of an edit’s field', () => send('POST', '/edit', {}, { path: 'plain.txt', edits: [{ old: 'a', new: '', '\ud800': 1 }] })],
  ])('are refused when %s has half of a surrogate pair', async (_where, call) => {
    expect(await call()).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED' } });
  });

  it.each([
    ['an id', { jsonrpc: '2.0', id: '\ud800', method: 'tools/list' }],
    [
      'a progress token',
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'execute', arguments: {}, _meta: { progressToken: '\udfff' } } },
    ],
  ])('are refused when %s of a message has half of a surrogate pair', async (_where, message) => {
    const headers = { Accept: 'application/json, text/event-stream' };
    expect(await rest.request('POST', '/mcp', message, { headers: { ...headers, 'Content-Type': 'application/json' } })).toMatchObject({
      status: 400,
      body: { error: { code: -32600, message: expect.stringContaining('valid Unicode') }, id: null },
    });
  });

  /** Characters of two UTF-16 units each, at even and at odd places. */
  describe.each(['', 'x'])('text after %j', (before) => {
    const faces = `python3 -uc "import sys, time
for _ in range(6):
    sys.stdout.write('${before}' + '😀' * 3001)
    time.sleep(0.15)"`;

    it('is cut between characters when it is in an answer, a result or its progress', async () => {
      const { body } = await rest.execute(SESSION, faces);
      expect(body.truncated).toBe(true);
      expect(body.stdout).toMatch(/^[x😀]+\n\[\.\.\. \d+ bytes omitted \.\.\.\]\n[x😀]+$/u);
      expect(body.stdout).not.toContain('\ufffd');
      const notes: string[] = [];
      const result = await tools.call(
        'execute',
        { session_id: SESSION, command: faces },
        { onprogress: ({ message = '' }) => void notes.push(message) },
      );
      expect(JSON.stringify(result)).not.toContain('\ufffd');
      expect(notes).not.toEqual([]);
      for (const note of notes) expect(note).toMatch(/^[x😀]+$/u);
    });

    it('is cut between characters when it is in a refusal or the log', async () => {
      const word = `${before}${'😀'.repeat(200)}`;
      const { body } = await rest.execute(
        SESSION,
        word,
        {},
        { headers: { 'X-Request-Id': `cut${before}`, 'Content-Type': 'application/json' } },
      );
      expect(body.code).toBe('COMMAND_NOT_ALLOWED');
      expect(JSON.stringify(body)).not.toContain('\ufffd');
      const { status, body: refused } = await send<object>('GET', '', { [`${before}${'😀'.repeat(60)}`]: '1' });
      expect([status, JSON.stringify(refused)]).toEqual([422, expect.not.stringContaining('\ufffd')]);
      const line = await eventually('it is in the log', async () =>
        service.child.output.split('\n').find((text) => text.includes(`"request_id":"cut${before}"`) && text.includes('"audit":true')),
      );
      expect((JSON.parse(line) as { command: string }).command).toBe(`${before}${'😀'.repeat(before === '' ? 100 : 99)}`);
    });

    it('is cut between characters when it is in the answer for an archive', async () => {
      const archive = tar([{ name: `/${before}${'😀'.repeat(20)}`, content: Buffer.from('in') }]);
      const answer = await send('PUT', '/archive', {}, undefined, {
        body: new Uint8Array(archive),
        headers: { 'Content-Type': 'application/x-tar' },
      });
      expect(answer).toMatchObject({ status: 400, body: { code: 'ARCHIVE_REFUSED', detail: expect.stringMatching(/\(\/x?(😀)+\)/u) } });
    });
  });

  it('are in the log with their exact bytes, without half a surrogate pair, when a call has named them', async () => {
    const logged = `"path":"w\ufffd/\ufffd","path_base64":"${base64('w\xff/\x80')}"`;
    await eventually('it is logged', async () => service.child.output.includes(logged));
    expect(service.child.output).not.toMatch(/\\ud[89a-f]/i);
  });
});
