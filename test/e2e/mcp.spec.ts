import { Tools } from '../support/service/mcp';
import { eventually, TestRedis } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { ALICE, BOB, type Client, Service } from '../support/service/service';

jest.setTimeout(180_000);

const INITIALIZE = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } };

const deployment = new TestDeployment();
let service: Service;
let alice: Tools;
let bob: Tools;
let rest: Client;

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
  alice = await Tools.connect(service, ALICE);
  bob = await Tools.connect(service, BOB);
});

afterAll(async () => {
  await alice?.close();
  await bob?.close();
  await service?.stop();
  await deployment.removeAll();
});

describe('MCP', () => {
  it('works on a session from its first file to its end when REST does so too', async () => {
    const session_id = 'a story/ü';
    expect((await alice.call('create_session', { session_id })).structuredContent).toMatchObject({ session_id });

    const content = 'print("hello from a file")\n';
    const written = await alice.call('workspace_write', { session_id, path: 'src/main.py', content });
    expect(written.structuredContent).toEqual({ session_id, path: 'src/main.py', size: Buffer.byteLength(content) });
    expect((await alice.call('workspace_read', { session_id, path: 'src/main.py' })).structuredContent).toEqual({
      content,
      encoding: 'utf8',
    });

    const ran = await alice.call('execute', { session_id, command: 'python3 main.py; echo oops >&2; exit 3', working_dir: 'src' });
    expect(ran.isError).toBeFalsy();
    expect(ran.structuredContent).toMatchObject({ stdout: 'hello from a file\n', stderr: 'oops\n', exit_code: 3, timed_out: false });
    expect(ran.content).toEqual([{ type: 'text', text: expect.stringMatching(/^exit code 3 [^]*hello from a file[^]*oops/) }]);

    await rest.run(session_id, 'printf "\\000\\377" > bytes');
    expect((await alice.call('workspace_read', { session_id, path: 'bytes' })).structuredContent).toEqual({
      path: 'bytes',
      size: 2,
      mime_type: 'application/octet-stream',
    });
    expect((await alice.call('workspace_list', { session_id })).structuredContent).toMatchObject({
      entries: [
        { name: 'bytes', type: 'file', size: 2 },
        { name: 'src', type: 'dir' },
      ],
    });

    await alice.call('workspace_delete', { session_id, path: 'src' });
    expect((await alice.call('workspace_list', { session_id })).structuredContent).toMatchObject({ entries: [{ name: 'bytes' }] });

    const deleted = await alice.call('delete_session', { session_id });
    expect(deleted.structuredContent).toEqual({ status: 'deleted', session_id });
    expect(await rest.request('GET', `/sessions/${encodeURIComponent(session_id)}`)).toMatchObject({ status: 404 });
  });

  it('shows no session when it is another user’s', async () => {
    await alice.call('workspace_write', { session_id: 'shared name', path: 'secret', content: 'of alice' });
    expect((await bob.call('workspace_list', { session_id: 'shared name' })).structuredContent).toEqual({
      entries: [],
      session_created: true,
    });
    expect(await bob.call('workspace_read', { session_id: 'shared name', path: 'secret' })).toMatchObject({
      isError: true,
      _meta: { problem: { code: 'NOT_FOUND' } },
    });
    const deleted = await bob.call('delete_session', { session_id: 'shared name' });
    expect([deleted.isError ?? false, deleted.structuredContent]).toEqual([false, { status: 'deleted', session_id: 'shared name' }]);
    expect((await alice.call('workspace_read', { session_id: 'shared name', path: 'secret' })).structuredContent).toMatchObject({
      content: 'of alice',
    });
    await alice.call('delete_session', { session_id: 'shared name' });
  });

  it('answers the code and detail of REST when a call fails', async () => {
    const session_id = 'failures';
    // A call that makes its session says so, and only the first of each pair below would.
    await rest.run(session_id, 'true');
    const content = (path: string): string => rest.workspace(session_id, path, true);
    const failures = [
      {
        tool: ['execute', { command: 'true', working_dir: 'nowhere' }],
        rest: ['POST', '/execute', { command: 'true', working_dir: 'nowhere', session_id }],
      },
      {
        tool: ['execute', { command: 'true', timeout: 100_000 }],
        rest: ['POST', '/execute', { command: 'true', timeout: 100_000, session_id }],
      },
      { tool: ['execute', { command: 'no-such-program' }], rest: ['POST', '/execute', { command: 'no-such-program', session_id }] },
      { tool: ['workspace_read', { path: 'absent' }], rest: ['GET', content('absent')] },
      { tool: ['workspace_read', { path: '../etc/passwd' }], rest: ['GET', content('../etc/passwd')] },
      { tool: ['workspace_read', { path: '/' }], rest: ['GET', content('/')] },
      { tool: ['workspace_delete', { path: '/' }], rest: ['DELETE', rest.workspace(session_id, '/')] },
    ] as const;
    for (const failure of failures) {
      const [name, args] = failure.tool;
      const [method, path, body] = failure.rest;
      const answer = await rest.request(method, path, body);
      const result = await alice.call(name, { session_id, ...args });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(result.isError).toBe(true);
      // Only REST lists all allowed programs: over MCP, every conversation would pay for the list.
      const { allowed: _allowed, ...problem } = answer.body;
      expect(result._meta?.problem).toEqual({ ...problem, request_id: expect.any(String) });
      expect(result.content[0]).toMatchObject({
        text: expect.stringContaining(`${String(answer.body.code)}: ${String(answer.body.detail)}`),
      });
    }
    await alice.call('delete_session', { session_id });
  });

  it('writes a file when it has the largest size, as base64', async () => {
    const bytes = Buffer.alloc(1_048_576, 0xfe);
    const session_id = 'large';
    const written = await alice.call('workspace_write', { session_id, path: 'f', content: bytes.toString('base64'), encoding: 'base64' });
    expect(written.structuredContent).toMatchObject({ size: bytes.length });
    const read = await rest.request<{ content: string }>('GET', rest.workspace(session_id, 'f', true));
    expect(Buffer.from(read.body.content, 'base64').equals(bytes)).toBe(true);
    await alice.call('delete_session', { session_id });
  });

  it('reads, answers and stops a command when it runs in the background', async () => {
    const session_id = 'background';
    const command = 'printf "name? "; read name; echo "hello $name"; sleep 77';
    const started = await alice.call('execute', { session_id, command, background: true, open_stdin: true });
    const { job_id } = started.structuredContent as { job_id: string };
    const asked = await alice.call('job_output', { session_id, job_id, wait_seconds: 20 });
    expect(asked.structuredContent).toMatchObject({ data: 'name? ', next_offset: 6, state: 'running', exit_code: null });
    await alice.call('job_input', { session_id, job_id, data: 'model\n' });
    const greeted = await alice.call('job_output', { session_id, job_id, offset: 6, wait_seconds: 20 });
    expect(greeted.structuredContent).toMatchObject({ data: 'hello model\n' });
    expect((await alice.call('job_stop', { session_id, job_id })).structuredContent).toMatchObject({ state: 'killed' });
    expect((await rest.run(session_id, 'ps -eo args | grep -c "^sleep 77" || true')).stdout).toBe('0\n');
    expect(await alice.call('job_output', { session_id, job_id })).toMatchObject({
      isError: true,
      _meta: { problem: { code: 'JOB_NOT_FOUND' } },
    });
  });

  it('sends a command’s output while it runs when the client asks for progress', async () => {
    const session_id = 'progress';
    const notes: { progress: number; message?: string }[] = [];
    const onprogress = (note: { progress: number; message?: string }): void => void notes.push(note);
    const command = 'printf first; until [ -e go ]; do sleep 0.02; done; printf second >&2; sleep 0.3; seq 1 20000';
    const result = alice.call('execute', { session_id, command }, { onprogress });
    await eventually('the first note', async () => notes.length === 1);
    expect(notes[0]!.message).toBe('first');
    await rest.run(session_id, 'touch go');
    expect((await result).structuredContent).toMatchObject({ exit_code: 0, stderr: 'second' });
    expect(notes[1]!.message).toBe('second');
    for (const [i, note] of notes.entries()) expect(note.progress).toBeGreaterThan(notes[i - 1]?.progress ?? 0);
  });

  it('keeps only both ends when a model would read too much', async () => {
    const result = (await alice.call('execute', { session_id: 'long', command: 'seq 1 20000; echo err >&2' })).structuredContent as {
      stdout: string;
      stderr: string;
      truncated: boolean;
    };
    expect(result).toMatchObject({ stderr: 'err\n', truncated: true });
    expect(result.stdout.length).toBeLessThan(20_200);
    await rest.run('long', 'seq 1 20000 > numbers; mkdir many; cd many; seq 1 1000 | xargs touch');
    const read = (await alice.call('workspace_read', { session_id: 'long', path: 'numbers' })).structuredContent as { content: string };
    expect(read).toMatchObject({ truncated: true, content: expect.stringMatching(/start_line/) });
    expect(read.content.length).toBeLessThan(20_200);
    for (const [tool, args, list] of [
      ['workspace_list', { path: 'many' }, 'entries'],
      ['workspace_search', { pattern: '1', limit: 5000 }, 'matches'],
    ] as const) {
      const found = (await alice.call(tool, { session_id: 'long', ...args })).structuredContent as Record<string, unknown[]>;
      expect([tool, found.truncated]).toEqual([tool, true]);
      expect(JSON.stringify(found[list]).length).toBeLessThanOrEqual(20_001);
    }
    expect(result.stdout).toMatch(/^1\n2\n[^]*\n\[\.\.\. \d+ characters left out; send long output to a file [^\n]*\]\n[^]*\n20000\n$/);
  });

  it('ends a command when it is cancelled at another replica, and no other', async () => {
    const redis = await TestRedis.start();
    const services = await Promise.all([1, 2].map(() => Service.start({ deployment, redis })));
    const [first, second] = services as [Service, Service];
    const session_id = 'cancelled';
    const user = first.client(ALICE);
    const headers = { Accept: 'application/json, text/event-stream' };
    const send = (to: Service, client: string, message: object): ReturnType<Client['request']> =>
      to.client(ALICE).request('POST', '/mcp', { jsonrpc: '2.0', ...message }, { headers: { ...headers, 'Mcp-Session-Id': client } });
    const run = (to: Service, client: string, seconds: string): ReturnType<Client['request']> =>
      send(to, client, {
        id: 1,
        method: 'tools/call',
        params: { name: 'execute', arguments: { session_id, command: `sleep ${seconds}` } },
      });
    const sleeping = async (): Promise<string[]> =>
      (await user.run(session_id, 'ps -eo args | grep "^sleep 7" || true')).stdout.trim().split('\n').sort();
    try {
      const begun = await user.request('POST', '/mcp', { jsonrpc: '2.0', id: 0, method: 'initialize', params: INITIALIZE }, { headers });
      const client = begun.headers.get('mcp-session-id')!;
      expect(client).toMatch(/^[0-9a-f-]{36}$/);
      const calls = [run(first, client, '71.5'), run(first, 'another-client', '72.5'), run(second, client, '73.5')];
      await eventually('all three run', async () => (await sleeping()).length === 3);
      const cancel = { method: 'notifications/cancelled', params: { requestId: 1 } };
      expect((await send(second, client, cancel)).status).toBe(202);
      await eventually('its own replica’s is gone', async () => String(await sleeping()) === 'sleep 71.5,sleep 72.5');
      expect((await send(second, client, cancel)).status).toBe(202);
      await eventually('the other replica’s is gone', async () => String(await sleeping()) === 'sleep 72.5');
      expect((await send(first, 'another-client', cancel)).status).toBe(202);
      for (const answer of await Promise.all(calls)) expect(answer.body).toMatchObject({ result: { isError: true } });
    } finally {
      await Promise.all(services.map((each) => each.stop('SIGKILL')));
      await redis.stop();
    }
  });

  it('ends a command when the official client cancels it', async () => {
    const session_id = 'aborted';
    const abort = new AbortController();
    const result = alice.call('execute', { session_id, command: 'touch begun; sleep 78' }, { signal: abort.signal });
    result.catch(() => undefined);
    const sleeping = async (): Promise<string> => (await rest.run(session_id, 'ls begun; ps -eo args')).stdout;
    await eventually('the command runs', async () => /^sleep 78$/m.test(await sleeping()));
    abort.abort('enough');
    await expect(result).rejects.toThrow('enough');
    await eventually('the command is gone', async () => !/^sleep 78$/m.test(await sleeping()));
  });

  it('ends a command when its client goes away', async () => {
    const gone = new AbortController();
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'execute', arguments: { session_id: 'gone', command: 'touch begun; sleep 77' } },
    };
    const answer = rest.send('POST', '/mcp', {
      headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
      body: JSON.stringify(body),
      signal: gone.signal,
    });
    const sleeping = async (): Promise<string> => (await rest.run('gone', 'ls begun; ps -eo args')).stdout;
    await eventually('the command runs', async () => /^begun$/m.test(await sleeping()) && /^sleep 77$/m.test(await sleeping()));
    gone.abort();
    await expect(answer).rejects.toThrow();
    await eventually('the command is gone', async () => !/^sleep 77$/m.test(await sleeping()));
    await rest.deleteSession('gone');
  });
});

describe('The rate limit', () => {
  it('counts one budget when a user calls by REST and MCP', async () => {
    const limited = await Service.start({ deployment, env: { RATE_LIMIT_REQUESTS: '3' } });
    try {
      const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
      const headers = { Accept: 'application/json, text/event-stream' };
      const client = limited.client(ALICE);
      expect((await client.request('GET', '/sessions')).status).toBe(200);
      expect((await client.request('POST', '/mcp', ping, { headers })).status).toBe(200);
      expect((await client.request('POST', '/mcp/', ping, { headers })).status).toBe(200);
      const refused = await client.request('POST', '/mcp', ping, { headers });
      expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await client.request('GET', '/sessions')).status).toBe(429);
      expect((await limited.client(BOB).request('POST', '/mcp', ping, { headers })).status).toBe(200);
    } finally {
      await limited.stop();
    }
  });
});
