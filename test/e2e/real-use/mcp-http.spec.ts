import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { browserFetch } from '../../support/service/browser';
import { Tools } from '../../support/service/mcp';
import { eventually } from '../../support/service/processes';
import { docker, TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(180_000);

const ORIGIN = 'https://page.test';
const BOTH = 'application/json, text/event-stream';

const deployment = new TestDeployment();
let service: Service;
let rest: Client;
let tools: Tools;

beforeAll(async () => {
  service = await Service.start({ deployment, env: { ALLOWED_ORIGINS: ORIGIN } });
  rest = service.client(ALICE);
  tools = await Tools.connect(service, ALICE);
});

afterAll(async () => {
  await tools?.close();
  await service?.stop();
  await deployment.removeAll();
});

/** `Tools` checks every answer against its schema. These rows produce the states. */
describe('The MCP server, for the output schemas of its tools,', () => {
  const session_id = 'schemas';
  const start = async (command: string, more: object = {}): Promise<string> => {
    const { structuredContent } = await tools.call('execute', { session_id, command, background: true, ...more });
    return (structuredContent as { job_id: string }).job_id;
  };
  const output = (job_id: string, more: object = {}): Promise<CallToolResult> =>
    tools.call('job_output', { session_id, job_id, wait_seconds: 20, ...more });

  beforeAll(() => tools.call('create_session', { session_id, metadata: { a: 'b' } }));

  it.each<[string, string, Record<string, unknown>, Record<string, unknown>]>([
    ['a command that fails', 'execute', { command: 'echo no >&2; exit 3' }, { exit_code: 3, stderr: 'no\n' }],
    ['a command out of time', 'execute', { command: 'sleep 9', timeout: 1 }, { exit_code: 124, timed_out: true }],
    ['a command whose output is cut', 'execute', { command: 'seq 1 20000' }, { truncated: true }],
    ['bytes', 'execute', { command: 'printf "\\377"', encoding: 'base64' }, { stdout: '/w==' }],
    ['a file that is written', 'workspace_write', { path: 'a/b', content: 'one\ntwo\n' }, { path: 'a/b', size: 8 }],
    ['a file that is read', 'workspace_read', { path: 'a/b' }, { content: 'one\ntwo\n', encoding: 'utf8' }],
    ['an edit', 'workspace_edit', { path: 'a/b', edits: [{ old: 'one', new: '1' }] }, { etag: expect.any(String) }],
    ['a list', 'workspace_list', {}, { entries: [{ name: 'a' }] }],
    ['a list that is cut', 'workspace_list', { depth: 2, limit: 1 }, { truncated: true }],
    ['a search for lines', 'workspace_search', { pattern: 'two' }, { matches: [{ path: 'a/b', line_number: 2, line: 'two' }] }],
    ['a search for files', 'workspace_search', { glob: 'b' }, { matches: [{ path: 'a/b' }] }],
    ['a deletion', 'workspace_delete', { path: 'a' }, { status: 'deleted', path: 'a' }],
  ])('gives an answer that fits when a call is about %s', async (_what, name, args, answer) => {
    expect((await tools.call(name, { session_id, ...args })).structuredContent).toMatchObject(answer);
  });

  it('gives answers that fit when a job runs, gets input and ends', async () => {
    const job_id = await start('read x; echo "$x"; exit 5', { open_stdin: true });
    expect((await output(job_id, { wait_seconds: 0 })).structuredContent).toMatchObject({ state: 'running', exit_code: null });
    const answered = await tools.call('job_input', { session_id, job_id, data: 'hello\n', eof: true });
    expect(answered.structuredContent).toMatchObject({ state: expect.stringMatching(/running|exited/) });
    const ended = await eventually('it ends', async () => {
      const { structuredContent } = await output(job_id);
      return structuredContent?.state === 'exited' && structuredContent;
    });
    expect(ended).toMatchObject({ data: 'hello\n', exit_code: 5 });
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'exited', exit_code: 5 });
  });

  it.each([
    ['out of time', 'sleep 99', { timeout: 1 }, { state: 'timed_out', exit_code: 124 }],
    ['killed', 'kill -9 $$', {}, { state: 'killed', exit_code: 137 }],
  ])('gives answers that fit when a job is %s', async (_what, command, more, answer) => {
    const job_id = await start(command, more);
    const ended = await eventually('it ends', async () => {
      const { structuredContent } = await output(job_id);
      return structuredContent?.state !== 'running' && structuredContent;
    });
    expect(ended).toMatchObject(answer);
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual(answer);
  });

  it('gives an answer that fits when a running job is stopped', async () => {
    const job_id = await start('sleep 99');
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'killed', exit_code: null });
  });

  it('gives answers that fit when a job is lost and its session is made again', async () => {
    const job_id = await start('sleep 99');
    const { container_id } = await rest.run(session_id, 'true');
    await docker.getContainer(container_id).remove({ force: true });
    const ran = await tools.call('execute', { session_id, command: 'true' });
    expect(ran.structuredContent).toMatchObject({ exit_code: 0, session_restarted: true });
    expect(await output(job_id)).toMatchObject({ isError: true, _meta: { problem: { code: 'JOB_LOST' } } });
    expect((await tools.call('job_stop', { session_id, job_id })).structuredContent).toEqual({ state: 'lost', exit_code: null });
  });

  it('gives an answer that fits when a session is deleted', async () => {
    expect((await tools.call('delete_session', { session_id })).structuredContent).toEqual({ status: 'deleted', session_id });
  });
});

/** Sends a message as a client does, and returns the bytes of the answer. */
async function post(message: object, headers: Record<string, string> = { Accept: BOTH }): Promise<{ response: Response; body: string }> {
  const response = await service.client(ALICE).send('POST', '/mcp/', {
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
  return { response, body: await response.text() };
}

const sleeper = (session_id: string, seconds: number): object => ({
  id: 1,
  method: 'tools/call',
  params: { name: 'execute', arguments: { session_id, command: `sleep ${seconds}; echo rested` } },
});

describe('The MCP server, for HTTP as clients speak it,', () => {
  it.each<[string, Record<string, string>]>([
    ['both types', { Accept: BOTH }],
    ['anything', { Accept: '*/*' }],
    ['JSON alone', { Accept: 'application/json' }],
    ['JSON with a charset', { Accept: 'application/json; charset=utf-8' }],
    ['no Accept at all', {}],
  ])('answers with JSON when the client accepts %s', async (_what, headers) => {
    // Node's fetch sends its own Accept header. curl and http.request need not send one.
    const answer = await raw({ id: 1, method: 'tools/list' }, headers);
    expect(answer).toMatchObject({ status: 200, type: 'application/json' });
    expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: '2.0', id: 1, result: { tools: expect.any(Array) } });
  });

  it.each<[string, object, object]>([
    ['resources/list', {}, { resources: [expect.objectContaining({ uri: 'sandbox://capabilities' })] }],
    ['resources/templates/list', {}, { resourceTemplates: [] }],
    ['prompts/list', {}, { prompts: [] }],
    ['prompts/list', { params: null }, { prompts: [] }],
    ['ping', { params: null }, {}],
  ])('answers when the method is %s, with %j', async (method, more, result) => {
    const { body } = await post({ id: 'a', method, ...more });
    expect(JSON.parse(body)).toEqual({ jsonrpc: '2.0', id: 'a', result });
  });

  it('sends at most 13,000 bytes when a client lists the tools', async () => {
    const { body } = await post({ id: 1, method: 'tools/list' });
    const { result } = JSON.parse(body) as { result: object };
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThanOrEqual(13_000);
  });
});

describe('The MCP server, for a page in a browser,', () => {
  it('answers when the page connects, calls, cancels a call and ends its session', async () => {
    const session_id = 'page';
    const errors: Error[] = [];
    const client = new McpClient({ name: 'page', version: '1' });
    const transport = new StreamableHTTPClientTransport(new URL(`${service.url}/mcp/`), {
      requestInit: { headers: { 'X-API-Key': ALICE } },
      fetch: browserFetch(ORIGIN),
    });
    // A cancelled call is still answered, but the client no longer knows its id.
    const onerror = (error: Error): void => void (/unknown message ID/.test(error.message) || errors.push(error));
    Object.assign(client, { onerror });
    await client.connect(transport);
    expect(transport.sessionId).toMatch(/^[0-9a-f-]{36}$/);
    // The session is new, so the answer says that this call made it.
    const listed = await client.callTool({ name: 'workspace_list', arguments: { session_id } });
    expect(listed.structuredContent).toEqual({ entries: [], session_created: true });

    const abort = new AbortController();
    const command = { name: 'execute', arguments: { session_id, command: 'touch begun; sleep 76' } };
    const result = client.callTool(command, undefined, { signal: abort.signal });
    result.catch(() => undefined);
    const processes = async (): Promise<string> => (await rest.run(session_id, 'ls begun; ps -eo args')).stdout;
    await eventually('the command runs', async () => /^sleep 76$/m.test(await processes()));
    abort.abort('enough');
    await expect(result).rejects.toThrow('enough');
    await eventually('the command is gone', async () => !/^sleep 76$/m.test(await processes()));

    await transport.terminateSession();
    expect(transport.sessionId).toBeUndefined();
    expect(errors).toEqual([]);
    await client.close();
  });

  it('refuses the page when it is of another origin', async () => {
    const page = browserFetch('https://evil.test');
    await expect(page(`${service.url}/mcp/`, { method: 'DELETE' })).rejects.toThrow('CORS');
  });
});

describe('The MCP server, for a call that is silent for long,', () => {
  it('sends something at least every ten seconds when a client of any kind waits', async () => {
    await tools.call('create_session', { session_id: 'silent' });
    const patient = { onprogress: (): void => undefined, resetTimeoutOnProgress: true, timeout: 15_000 };
    const command = 'sleep 24; echo rested';
    const [events, json, official, sse] = await Promise.all([
      post(sleeper('silent', 24)),
      post(sleeper('silent', 24), { Accept: 'application/json' }),
      tools.call('execute', { session_id: 'silent', command }, patient),
      rest.execute<string>('silent', command, {}, { headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' } }),
    ]);
    expect(events.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(events.body).toMatch(/^(: still here\n\n){2,}event: message\ndata: [^\n]*rested[^\n]*\n\n$/);
    expect(json.response.headers.get('content-type')).toBe('application/json');
    expect(json.body).toMatch(/^ {2,}\{/);
    expect(JSON.parse(json.body)).toMatchObject({ id: 1, result: { structuredContent: { stdout: 'rested\n' } } });
    expect(official.structuredContent).toMatchObject({ stdout: 'rested\n', exit_code: 0 });
    expect(sse.body).toMatch(/^event: start\n[^\n]*\n\n(: still here\n\n){2,}event: stdout\n/);
  });
});

/** Acts as a client that sends only these headers. */
function raw(message: object, headers: Record<string, string>): Promise<{ status?: number; type?: string; body: string }> {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { 'X-API-Key': ALICE, 'Content-Type': 'application/json', ...headers } };
    const outgoing = httpRequest(`${service.url}/mcp/`, options, (incoming) => {
      text(incoming).then(
        (answer) => resolve({ status: incoming.statusCode, type: incoming.headers['content-type'], body: answer }),
        reject,
      );
    });
    outgoing.on('error', reject).end(body);
  });
}
