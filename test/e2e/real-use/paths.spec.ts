import type { RequestOptions } from '@sandbox/client';
import { tar } from '../../support/service/tar';
import { Tools } from '../../support/service/mcp';
import { eventually } from '../../support/service/processes';
import { TestDeployment } from '../../support/service/deployment';
import { type Answer, ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(180_000);

const SESSION = 'paths';
const SENT = 'sent by a file call\n';
const MADE = 'made by the shell\n';

/** Each call that takes a path, as a function of it. The answers of `json` are compared. */
type Calls = Record<string, (path: string) => Promise<Answer<unknown>>>;

describe('The service, for paths as agents write them,', () => {
  const deployment = new TestDeployment();
  let service: Service;
  let rest: Client;
  let tools: Tools;

  beforeAll(async () => {
    service = await Service.start({ deployment });
    rest = service.client(ALICE);
    tools = await Tools.connect(service, ALICE);
    await rest.run(SESSION, `mkdir -p d/e && printf '${MADE}' | tee made.txt d/made.txt d/e/made.txt`);
  });
  afterAll(async () => {
    await tools?.close();
    await service?.stop('SIGKILL');
    await deployment.removeAll();
  });

  const send = <T>(
    method: string,
    call: string,
    query: Record<string, string>,
    body?: unknown,
    init?: RequestOptions,
  ): Promise<Answer<T>> => {
    const text = new URLSearchParams(query).toString();
    return rest.request<T>(method, `/sessions/${SESSION}/workspace${call}${text && `?${text}`}`, body, init);
  };
  const bytes = (body: Buffer | string, type: string): RequestOptions => ({
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'Content-Type': type },
  });
  const upload = (query: Record<string, string>, fileName = 'x'): Promise<Answer<unknown>> => {
    const form = new FormData();
    form.append('file', new Blob([SENT]), fileName);
    return send('POST', '/upload', query, undefined, { body: form });
  };
  const shell = async (command: string): Promise<string> => (await rest.run(SESSION, command)).stdout;

  const CALLS: Calls = {
    list: (path) => send('GET', '', { path }),
    read: (path) => send('GET', '/content', { path }),
    'read of the bytes': (path) => send('GET', '/content', { path }, undefined, { headers: { Accept: 'application/octet-stream' } }),
    write: (path) => send('PUT', '/content', { path }, undefined, bytes(SENT, 'application/octet-stream')),
    'write of JSON': (path) => send('PUT', '/content', { path }, { content: SENT }),
    upload: (path) => upload({ path }),
    delete: (path) => send('DELETE', '', { path }),
    stat: (path) => send('GET', '/stat', { path }),
    'move from': (from) => send('POST', '/move', {}, { from, to: 'moved' }),
    'move to': (to) => send('POST', '/move', {}, { from: 'd/made.txt', to }),
    mkdir: (path) => send('POST', '/mkdir', {}, { path }),
    search: (path) => send('GET', '/search', { path, pattern: 'made' }),
    edit: (path) => send('POST', '/edit', {}, { path, edits: [{ old: 'made', new: 'edited' }] }),
    'archive out': (path) => send('GET', '/archive', { path }),
    'archive in': (path) => send('PUT', '/archive', { path }, undefined, bytes(tar([{ name: 'f' }]), 'application/x-tar')),
  };
  const TOOLS: Record<string, [tool: string, args: (path: string) => Record<string, unknown>]> = {
    workspace_list: ['workspace_list', (path) => ({ path })],
    workspace_read: ['workspace_read', (path) => ({ path })],
    workspace_write: ['workspace_write', (path) => ({ path, content: SENT })],
    workspace_delete: ['workspace_delete', (path) => ({ path })],
    workspace_search: ['workspace_search', (path) => ({ path, pattern: 'made' })],
    workspace_edit: ['workspace_edit', (path) => ({ path, edits: [{ old: 'made', new: 'edited' }] })],
  };

  it.each<[sent: string, call: () => Promise<unknown>, answer: unknown]>([
    ['reads what the shell made', () => CALLS.read!('/workspace/made.txt'), { body: { content: MADE, encoding: 'utf8' } }],
    ['reads its bytes', () => CALLS['read of the bytes']!('/workspace/d/../made.txt'), { status: 200, body: MADE }],
    ['looks at it', () => CALLS.stat!('//workspace/./made.txt'), { body: { path: 'made.txt', type: 'file' } }],
    ['looks at the root', () => CALLS.stat!('/'), { body: { path: '', type: 'dir' } }],
    ['looks at the root by its name', () => CALLS.stat!('/workspace/'), { body: { path: '', type: 'dir' } }],
    ['lists a directory', () => CALLS.list!('/workspace/d/e'), { body: { entries: [{ name: 'made.txt' }] } }],
    ['searches in a directory', () => CALLS.search!('/workspace/d/e'), { body: { matches: [{ path: 'd/e/made.txt', line_number: 1 }] } }],
    ['makes a directory', () => CALLS.mkdir!('/workspace/m/n'), { body: { path: 'm/n', created: true } }],
    ['finds it under its other name', () => CALLS.mkdir!('m/n'), { body: { path: 'm/n', created: false } }],
    ['moves', () => send('POST', '/move', {}, { from: '/workspace/m/n', to: '/workspace/m/o' }), { body: { path: 'm/o' } }],
    [
      'edits',
      () => CALLS.edit!('/workspace/d/e/made.txt'),
      { status: 200, body: { diff: expect.stringMatching(/^--- a\/d\/e\/made.txt\n/) } },
    ],
    ['uploads', () => upload({ path: '/workspace/up/loaded' }), { status: 201, body: { path: 'up/loaded' } }],
    ['uploads under the name of the form', () => upload({}, '/workspace/by-form'), { status: 201, body: { path: 'by-form' } }],
    [
      'starts a command in a directory',
      () => rest.execute(SESSION, 'pwd', { working_dir: '/workspace/d' }),
      { body: { stdout: '/workspace/d\n' } },
    ],
    [
      'starts it there by a relative path',
      () => rest.execute(SESSION, 'pwd', { working_dir: 'd' }),
      { body: { stdout: '/workspace/d\n' } },
    ],
    ['starts it outside', () => rest.execute(SESSION, 'pwd', { working_dir: '/tmp' }), { body: { stdout: '/tmp\n' } }],
    ['deletes', () => CALLS.delete!('/workspace/m'), { status: 204 }],
    ['packs a directory', () => CALLS['archive out']!('/workspace/d'), { status: 200, body: expect.stringContaining('e/made.txt') }],
    [
      'lists the root by MCP',
      () => tools.call('workspace_list', { session_id: SESSION, path: '/', limit: 1 }),
      { structuredContent: { truncated: true } },
    ],
    [
      'writes by MCP',
      () => tools.call('workspace_write', { session_id: SESSION, path: '/workspace/mcp/f', content: SENT }),
      { structuredContent: { path: 'mcp/f' } },
    ],
    [
      'edits by MCP',
      () => tools.call('workspace_edit', { session_id: SESSION, path: '/workspace/mcp/f', edits: [{ old: 'sent', new: 'SENT' }] }),
      { structuredContent: { diff: expect.stringContaining('+SENT by') } },
    ],
    [
      'searches by MCP',
      () => tools.call('workspace_search', { session_id: SESSION, path: '/workspace/mcp' }),
      { structuredContent: { matches: [{ path: 'mcp/f' }] } },
    ],
    [
      'reads by MCP',
      () => tools.call('workspace_read', { session_id: SESSION, path: '/workspace/mcp/f' }),
      { structuredContent: { content: SENT.replace('sent', 'SENT') } },
    ],
    [
      'deletes by MCP',
      () => tools.call('workspace_delete', { session_id: SESSION, path: '/workspace/mcp/f' }),
      { structuredContent: { path: 'mcp/f' } },
    ],
  ])('answers %s when the path is absolute', async (_sent, call, answer) => {
    expect(await call()).toMatchObject(answer as object);
  });

  it('writes to the place that the path names when it is absolute', async () => {
    await CALLS.write!('/workspace/w/bytes');
    await CALLS['write of JSON']!('/workspace/w/json');
    await CALLS['archive in']!('/workspace/w/archive');
    expect(await shell('cd /workspace/w && cat bytes json && ls archive; ls -d /workspace/workspace')).toBe(`${SENT}${SENT}f\n`);
  });

  describe.each<[sent: string, status: number, code: string, detail: string]>([
    [
      '/tmp/x',
      403,
      'PATH_OUTSIDE_WORKSPACE',
      'The path "/tmp/x" is outside /workspace, and file calls reach /workspace alone. For "/workspace/tmp/x" give "tmp/x". Only a command (execute) can reach "/tmp/x".',
    ],
    [
      '/workspace/../etc',
      403,
      'PATH_OUTSIDE_WORKSPACE',
      'The path "/etc" is outside /workspace, and file calls reach /workspace alone. For "/workspace/etc" give "etc". Only a command (execute) can reach "/etc".',
    ],
    ['../x', 400, 'INVALID_PATH', 'The path "../x" leads above /workspace, where a relative path starts.'],
    [
      '~/x',
      400,
      'INVALID_PATH',
      'The path "~/x" begins with ~, which is not replaced here. The home directory is /workspace: give "x", or "./~/x" for what is really named ~.',
    ],
    [
      '$HOME/x',
      400,
      'INVALID_PATH',
      'The path "$HOME/x" begins with $HOME, which is not replaced here. The home directory is /workspace: give "x", or "./$HOME/x" for what is really named $HOME.',
    ],
  ])('for the path %s,', (sent, status, code, detail) => {
    it.each(Object.keys(CALLS))('refuses the call when it is %s, and says what to do instead', async (call) => {
      expect(await CALLS[call]!(sent)).toMatchObject({ status, body: { code, detail } });
    });

    it.each(Object.keys(TOOLS))('refuses the call when the tool is %s, and says what to do instead', async (name) => {
      const [tool, args] = TOOLS[name]!;
      expect(await tools.text(tool, { session_id: SESSION, ...args(sent) })).toBe(`${code}: ${detail}`);
    });
  });

  it('says what to give when only a shell would understand the working directory', async () => {
    expect(await rest.execute(SESSION, 'pwd', { working_dir: '~/d' })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_WORKING_DIR', detail: expect.stringContaining('give "d"') },
    });
  });

  it('logs relative paths, and the path as it came when it is refused', async () => {
    await rest.request('GET', `/sessions/${SESSION}/workspace/stat?path=/workspace/./d`, undefined, {
      headers: { 'X-Request-Id': 'inside' },
    });
    await rest.request('GET', `/sessions/${SESSION}/workspace/stat?path=/tmp/./x`, undefined, { headers: { 'X-Request-Id': 'outside' } });
    const logged = (id: string) =>
      eventually('the call is in the log', async () => {
        const lines = service.child.output.split('\n').filter((line) => line.includes(`"request_id":"${id}"`));
        return lines.map((line) => JSON.parse(line) as Record<string, unknown>).find((line) => line.audit === true);
      });
    expect(await logged('inside')).toMatchObject({ op: 'workspace_stat', path: 'd' });
    expect(await logged('outside')).toMatchObject({ op: 'workspace_stat', path: '/tmp/./x', error: 'PATH_OUTSIDE_WORKSPACE' });
  });
});
