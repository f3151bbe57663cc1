import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type CallToolResult, CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { loadConfig } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type ExecuteResult, OrchestratorService, WorkspaceService } from '@sandbox/orchestrator';
import { userFromApiKey } from '@sandbox/sessions';
import { PARAMS_PROVIDER_TOKEN } from 'nestjs-pino';
import { AppModule } from '../app.module';
import { configureApp } from '../configure-app';

/** The whole HTTP side is real: guards, limits, filters, the official client. The services are fakes that note what they are asked. */
const KEY = 'test-key';
const ORIGIN = 'https://client.test';
const CONFIG_UNDER_TEST = loadConfig({
  API_KEYS: KEY,
  ALLOWED_ORIGINS: ORIGIN,
  SESSION_STORE: 'memory',
  APP_NAME: 'sandbox-under-test',
  RATE_LIMIT_REQUESTS: '100000',
  DEFAULT_EXEC_TIMEOUT_SECONDS: '17',
  MAX_EXEC_TIMEOUT_SECONDS: '99',
});

const EXECUTED: ExecuteResult = {
  stdout: 'out\n',
  stderr: 'err\n',
  exit_code: 3,
  execution_time: 0.25,
  container_id: '0123456789ab',
  timed_out: false,
  truncated: false,
  session_restarted: false,
};

const calls: unknown[][] = [];
/** What the next call of a service does instead of answering. */
let behaviour: ((signal?: AbortSignal) => Promise<never>) | undefined;

async function note<T>(answer: T, signal: AbortSignal | undefined, ...call: unknown[]): Promise<T> {
  calls.push(call);
  return behaviour === undefined ? answer : behaviour(signal);
}

const orchestrator: Pick<OrchestratorService, 'execute' | 'createSession' | 'deleteSession'> = {
  execute: (user, command, signal) => note(EXECUTED, signal, 'execute', user.id, { ...command }),
  createSession: (user, session_id) => note({ session_id, container_id: '0123456789ab' }, undefined, 'createSession', user.id, session_id),
  deleteSession: (user, session_id) => note({ status: 'deleted', session_id }, undefined, 'deleteSession', user.id, session_id),
};

const workspace: Pick<WorkspaceService, 'list' | 'readText' | 'write' | 'delete'> = {
  list: (user, session, path, signal) =>
    note([{ name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00.000Z' }], signal, 'list', user.id, session, path),
  readText: (user, session, path, signal) => note({ content: 'text', encoding: 'utf8' }, signal, 'readText', user.id, session, path),
  write: (user, session, path, content, signal) => note({ size: 4, created: true }, signal, 'write', user.id, session, path, content),
  delete: (user, session, path, signal) => note(undefined, signal, 'delete', user.id, session, path),
};

const USER = userFromApiKey(KEY).id;
let app: NestExpressApplication;
let url: string;

beforeAll(async () => {
  const module = await Test.createTestingModule({ imports: [AppModule.register(CONFIG_UNDER_TEST)] })
    .overrideProvider(OrchestratorService)
    .useValue(orchestrator)
    .overrideProvider(WorkspaceService)
    .useValue(workspace)
    .overrideProvider(PARAMS_PROVIDER_TOKEN)
    .useValue({ pinoHttp: { enabled: false } })
    .compile();
  app = module.createNestApplication<NestExpressApplication>({ bodyParser: false, logger: false });
  configureApp(app, CONFIG_UNDER_TEST);
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
});

afterAll(() => app.close());

beforeEach(() => {
  calls.length = 0;
  behaviour = undefined;
});

function post(body: unknown, headers: Record<string, string> = {}, path = '/mcp', init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'X-API-Key': KEY, 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
    ...init,
  });
}

const request = (method: string, params?: unknown): object => ({ jsonrpc: '2.0', id: 7, method, params });
const PING = request('ping');

describe('tools, as the official client sees them', () => {
  let client: Client;

  beforeAll(async () => {
    client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp/`), { requestInit: { headers: { 'X-API-Key': KEY } } }));
    // The client checks structured content against the output schemas it has listed.
    await client.listTools();
  });

  afterAll(() => client.close());

  const call = async (name: string, args: Record<string, unknown>): Promise<CallToolResult> =>
    CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));

  const text = (result: CallToolResult): string => result.content.map((block) => (block.type === 'text' ? block.text : '')).join('');

  it('names itself, its tools as its one capability, and its limits', () => {
    expect(client.getServerVersion()).toEqual({ name: 'sandbox-under-test', version: '1' });
    expect(client.getServerCapabilities()).toEqual({ tools: { listChanged: false } });
    expect(client.getInstructions()).toContain('600 seconds');
  });

  it('describes every tool', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'create_session',
      'delete_session',
      'execute',
      'workspace_delete',
      'workspace_list',
      'workspace_read',
      'workspace_write',
    ]);
    for (const tool of tools) {
      expect(tool).toMatchObject({
        title: expect.any(String),
        description: expect.any(String),
        inputSchema: {
          type: 'object',
          additionalProperties: false,
          properties: { session_id: { type: 'string', description: expect.any(String) } },
        },
        outputSchema: { type: 'object', additionalProperties: false },
        annotations: { readOnlyHint: expect.any(Boolean), openWorldHint: false },
      });
      expect(JSON.stringify(tool)).not.toContain('$ref');
    }
  });

  it('tells a model the limits of a command', async () => {
    const { tools } = await client.listTools();
    const execute = tools.find(({ name }) => name === 'execute')!;
    expect(execute.description).toMatch(/17 by default and 99 at most/);
    expect(execute.description).toMatch(/cd and export do not carry over/);
    expect(execute.inputSchema.required).toEqual(expect.arrayContaining(['command', 'session_id']));
    expect(execute.inputSchema.properties).toMatchObject({
      timeout: { type: 'number', minimum: 1, maximum: 99, default: 17 },
      shell: { enum: ['sh', 'bash'], default: 'sh' },
    });
  });

  it('runs a command', async () => {
    const args = {
      command: 'make',
      session_id: 's/1 ☃',
      timeout: 5,
      working_dir: 'a',
      env: { A: 'b' },
      stdin: 'x',
      encoding: 'utf8',
      shell: 'sh',
    };
    const result = await call('execute', args);
    expect(calls).toEqual([['execute', USER, args]]);
    expect(result.structuredContent).toEqual(EXECUTED);
    expect(text(result)).toBe('exit code 3 after 0.25 s\n--- stdout ---\nout\n\n--- stderr ---\nerr\n');
  });

  it.each([
    ['create_session', { session_id: 's' }, ['createSession', USER, 's'], { session_id: 's', container_id: '0123456789ab' }],
    ['delete_session', { session_id: 's' }, ['deleteSession', USER, 's'], { status: 'deleted', session_id: 's' }],
    [
      'workspace_list',
      { session_id: 's' },
      ['list', USER, 's', ''],
      { entries: [{ name: 'a', type: 'file', size: 1, modified: '2026-01-01T00:00:00.000Z' }] },
    ],
    ['workspace_read', { session_id: 's', path: 'a' }, ['readText', USER, 's', 'a'], { content: 'text', encoding: 'utf8' }],
    [
      'workspace_write',
      { session_id: 's', path: 'a', content: 'text' },
      ['write', USER, 's', 'a', Buffer.from('text')],
      { session_id: 's', path: 'a', size: 4 },
    ],
    ['workspace_delete', { session_id: 's', path: 'a' }, ['delete', USER, 's', 'a'], { status: 'deleted', session_id: 's', path: 'a' }],
  ])('%s', async (name, args, asked, answer) => {
    const result = await call(name, args);
    expect(calls).toEqual([asked]);
    expect(result.structuredContent).toEqual(answer);
    expect(JSON.parse(text(result))).toEqual(answer);
  });

  it('writes bytes given as base64', async () => {
    await call('workspace_write', { session_id: 's', path: 'a', content: 'AP8=', encoding: 'base64' });
    expect(calls).toEqual([['write', USER, 's', 'a', Buffer.from([0, 255])]]);
  });

  it('answers a failure as a result with the code and detail of REST', async () => {
    behaviour = async () => Promise.reject(new SandboxError(ErrorCode.NOT_A_DIRECTORY, 'a is a file.'));
    const result = await call('workspace_list', { session_id: 's', path: 'a' });
    expect(result.isError).toBe(true);
    expect(text(result)).toBe('NOT_A_DIRECTORY: a is a file.');
    expect(result._meta).toMatchObject({
      problem: { code: 'NOT_A_DIRECTORY', detail: 'a is a file.', status: 409, request_id: expect.any(String) },
    });
    // Clients check structured content against the tool's schema, which an error does not have.
    expect(result.structuredContent).toBeUndefined();
  });

  it('shows nothing of an unexpected failure', async () => {
    behaviour = async () => Promise.reject(new Error('connect ENOENT /var/run/docker.sock'));
    const result = await call('execute', { command: 'true', session_id: 's' });
    expect(result.isError).toBe(true);
    expect(text(result)).toMatch(/^INTERNAL_ERROR: /);
    expect(JSON.stringify(result)).not.toContain('docker');
  });

  it.each([
    ['execute', { command: 'true', session_id: 's', timeout: '5' }, 'timeout'],
    ['execute', { command: 'true', session_id: 's', timeout: 0 }, 'timeout'],
    ['execute', { session_id: 's' }, 'command'],
    ['execute', { command: 'true', session_id: 's', surprise: 1 }, 'surprise'],
    ['create_session', {}, 'session_id'],
    ['workspace_write', { session_id: 's', path: 'a', content: 5 }, 'content'],
    ['workspace_write', { session_id: 's', path: 'a', content: '', encoding: 'latin1' }, 'encoding'],
    ['workspace_read', { session_id: 's' }, 'path'],
    ['workspace_delete', { session_id: 5, path: 'a' }, 'session_id'],
  ])('lets a model correct bad arguments: %s %j', async (name, args, field) => {
    const result = await call(name, args);
    expect(result.isError).toBe(true);
    expect(text(result)).toMatch(new RegExp(`^VALIDATION_FAILED: [^]*${field}`));
    expect(result._meta).toMatchObject({ problem: { status: 422, errors: [{ field }] } });
    expect(calls).toEqual([]);
  });
});

describe('the HTTP side', () => {
  it.each(['/mcp', '/mcp/'])('answers at %s itself', async (path) => {
    const response = await post(PING, {}, path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toEqual({ jsonrpc: '2.0', id: 7, result: {} });
  });

  it.each([['/mcp'], ['/mcp/']])('offers no stream and no session at %s', async (path) => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const response = await fetch(`${url}${path}`, { method, headers: { 'X-API-Key': KEY, Accept: 'text/event-stream' } });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST, OPTIONS');
      expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    }
  });

  it('takes a notification without an answer', async () => {
    const response = await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { 'X-API-Key': 'wrong' }],
    ['a wrong token', { Authorization: 'Bearer x.y.z' }],
  ])('refuses %s before anything else of the message counts', async (_what, credentials) => {
    const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...credentials };
    for (const method of ['initialize', 'tools/list', 'tools/call']) {
      const response = await fetch(`${url}/mcp`, { method: 'POST', headers, body: JSON.stringify(request(method, { name: 'execute' })) });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBeTruthy();
      expect(await response.json()).toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('lets pages of allowed origins in, and no others', async () => {
    const allowed = await post(PING, { Origin: ORIGIN });
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    for (const Origin of ['https://evil.test', `${ORIGIN}.evil.test`, 'null', url]) {
      const refused = await post(PING, { Origin });
      expect(refused.status).toBe(403);
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
      expect(await refused.json()).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' });
    }
  });

  it('answers preflights, which carry no credential, and lets a page read why it was refused', async () => {
    for (const path of ['/mcp', '/mcp/']) {
      const preflight = await fetch(`${url}${path}`, {
        method: 'OPTIONS',
        headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(preflight.headers.get('access-control-allow-headers')).toContain('X-API-Key');
    }
    expect((await fetch(`${url}/mcp`, { method: 'OPTIONS', headers: { Origin: 'https://evil.test' } })).status).toBe(403);
    const unauthorized = await fetch(`${url}/mcp`, { method: 'POST', headers: { Origin: ORIGIN } });
    expect(unauthorized.status).toBe(401);
    expect(unauthorized.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  });

  it('ends a call whose client goes away', async () => {
    const gone = new AbortController();
    let aborted: Promise<unknown> | undefined;
    const begun = new Promise<void>((resolve) => {
      behaviour = async (signal) => {
        aborted = once(signal!, 'abort');
        resolve();
        await aborted;
        throw new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'gone');
      };
    });
    const answer = post(request('tools/call', { name: 'execute', arguments: { command: 'sleep 60', session_id: 's' } }), {}, '/mcp', {
      signal: gone.signal,
    });
    await begun;
    gone.abort();
    await expect(answer).rejects.toThrow();
    await aborted;
  });
});

describe('the JSON-RPC side', () => {
  it.each([
    ['what is no JSON', '{"jsonrpc"', 400, { code: 'BAD_REQUEST' }],
    ['what is no message', { hello: 'world' }, 400, { error: { code: -32700 } }],
    ['a batch', [PING, PING], 400, { error: { code: -32600 } }],
    ['an unknown method', request('resources/list'), 200, { id: 7, error: { code: -32601 } }],
    ['an unknown tool', request('tools/call', { name: 'rm_rf' }), 200, { id: 7, error: { code: -32602, message: /Unknown tool: rm_rf/ } }],
    ['a call of no tool', request('tools/call', { arguments: {} }), 200, { id: 7, error: { code: -32602 } }],
    ['arguments that are no object', request('tools/call', { name: 'execute', arguments: [] }), 200, { id: 7, error: { code: -32602 } }],
  ])('refuses %s', async (_what, body, status, answer) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const received: unknown = await response.json();
    expect(JSON.stringify(received)).not.toMatch(/\bat .*\.[jt]s:\d+/);
    if ('error' in answer && 'message' in answer.error) {
      expect(received).toMatchObject({ error: { message: expect.stringMatching(answer.error.message) } });
    } else {
      expect(received).toMatchObject(answer);
    }
  });

  it('refuses a protocol version it does not speak, and takes each it does', async () => {
    const unknown = await post(PING, { 'MCP-Protocol-Version': '1999-01-01' });
    expect(unknown.status).toBe(400);
    for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
      expect((await post(PING, { 'MCP-Protocol-Version': version })).status).toBe(200);
    }
  });

  it('offers its latest version to a client that asks for one it does not know', async () => {
    const params = { protocolVersion: '1999-01-01', capabilities: {}, clientInfo: { name: 'old', version: '0' } };
    const response = await post(request('initialize', params));
    expect(await response.json()).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
  });

  it('refuses a body over the limit and one of another type', async () => {
    const tooLong = await post(request('ping', { filler: 'x'.repeat(2 * 1024 * 1024) }));
    expect(tooLong.status).toBe(413);
    expect((await post(PING, { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await post(PING, { Accept: 'application/json' })).status).toBe(406);
  });
});
