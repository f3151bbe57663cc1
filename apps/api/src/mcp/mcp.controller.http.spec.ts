import { once } from 'node:events';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { CommandsService } from '@sandbox/orchestrator';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

/** The whole HTTP side is real: guards, limits, filters. Only the commands service is a fake. */
const ORIGIN = 'https://client.test';

let execute: CommandsService['execute'];
let app: TestApp;
let url: string;

beforeAll(async () => {
  const commands = { execute: (...call: Parameters<CommandsService['execute']>) => execute(...call) };
  app = await TestApp.start({ commands }, { ALLOWED_ORIGINS: ORIGIN });
  url = app.url;
});

afterAll(() => app.stop());

function post(body: unknown, headers: Record<string, string> = {}, path = '/mcp', init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'X-API-Key': API_KEY, 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
    ...init,
  });
}

const request = (method: string, params?: unknown): object => ({ jsonrpc: '2.0', id: 7, method, params });
const PING = request('ping');

describe('McpController, by HTTP', () => {
  it.each(['/mcp', '/mcp/'])('serves the official client when it calls %s', async (path) => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${url}${path}`), { requestInit: { headers: { 'X-API-Key': API_KEY } } }),
    );
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);
    await client.close();
  });

  it.each(['/mcp', '/mcp/'])('answers without a redirect when the path is %s', async (path) => {
    const response = await post(PING, {}, path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toEqual({ jsonrpc: '2.0', id: 7, result: {} });
  });

  it.each([['/mcp'], ['/mcp/']])('answers 405 when GET or DELETE asks for a stream or a session at %s', async (path) => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const response = await fetch(`${url}${path}`, { method, headers: { 'X-API-Key': API_KEY, Accept: 'text/event-stream' } });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST, OPTIONS');
      expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    }
  });

  it.each(['application/json', '*/*', 'text/event-stream', 'application/json, text/event-stream', 'text/html'])(
    'answers when Accept is %s',
    async (Accept) => {
      const response = await post(PING, { Accept });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('{"result":{},"jsonrpc":"2.0","id":7}');
    },
  );

  it('answers 202 when the message is a notification', async () => {
    const response = await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { 'X-API-Key': 'wrong' }],
    ['a wrong token', { Authorization: 'Bearer x.y.z' }],
  ])('refuses a request before it looks at the message when it has %s', async (_what, credentials) => {
    const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...credentials };
    for (const method of ['initialize', 'tools/list', 'tools/call']) {
      const response = await fetch(`${url}/mcp`, { method: 'POST', headers, body: JSON.stringify(request(method, { name: 'execute' })) });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBeTruthy();
      expect(await response.json()).toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('refuses a page when its origin is not allowed', async () => {
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

  it('answers a preflight without a credential, and lets a page read why it was refused', async () => {
    for (const path of ['/mcp', '/mcp/']) {
      const preflight = await fetch(`${url}${path}`, {
        method: 'OPTIONS',
        headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(preflight.headers.get('access-control-allow-headers')).toContain('X-API-Key');
      expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, POST, DELETE');
    }
    expect((await fetch(`${url}/mcp`, { method: 'OPTIONS', headers: { Origin: 'https://evil.test' } })).status).toBe(403);
    const unauthorized = await fetch(`${url}/mcp`, { method: 'POST', headers: { Origin: ORIGIN } });
    expect(unauthorized.status).toBe(401);
    expect(unauthorized.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  });

  it('ends a call when its client goes away', async () => {
    const gone = new AbortController();
    let aborted: Promise<unknown> | undefined;
    const begun = new Promise<void>((resolve) => {
      execute = async (_user, _command, signal) => {
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

describe('McpController, by JSON-RPC', () => {
  it.each([
    ['text that is no JSON', '{"jsonrpc"', 400, { code: 'BAD_REQUEST' }],
    ['JSON that is no message', { hello: 'world' }, 400, { error: { code: -32600 } }],
    ['a batch', [PING, PING], 400, { error: { code: -32600 } }],
    ['an unknown method', request('resources/subscribe'), 200, { id: 7, error: { code: -32601 } }],
    ['the read of no resource', request('resources/read'), 200, { id: 7, error: { code: -32602 } }],
    [
      'an unknown resource',
      request('resources/read', { uri: 'file:///etc/passwd' }),
      200,
      { id: 7, error: { code: -32002, message: /sandbox:\/\/capabilities/ } },
    ],
    [
      'an unknown tool',
      request('tools/call', { name: 'rm_rf' }),
      200,
      { id: 7, error: { code: -32602, message: /Unknown tool: rm_rf; [^]*execute/ } },
    ],
    ['a call of no tool', request('tools/call', { arguments: {} }), 200, { id: 7, error: { code: -32602 } }],
    ['arguments that are no object', request('tools/call', { name: 'execute', arguments: [] }), 200, { id: 7, error: { code: -32602 } }],
  ])('answers an error when it gets %s', async (_what, body, status, answer) => {
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

  it.each([
    ['resources/templates/list', { resourceTemplates: [] }],
    ['prompts/list', { prompts: [] }],
  ])('answers an empty list when %s asks for one', async (method, result) => {
    for (const params of [undefined, {}, null, { cursor: null }]) {
      expect(await (await post(request(method, params))).json()).toEqual({ jsonrpc: '2.0', id: 7, result });
    }
  });

  it.each([
    ['params', request('tools/list', null)],
    ['a cursor', request('tools/list', { cursor: null })],
    ['_meta', request('tools/list', { _meta: null })],
    ['a progress token', request('tools/list', { _meta: { progressToken: null } })],
  ])('takes null when %s is left out', async (_what, message) => {
    expect(await (await post(message)).json()).toMatchObject({ id: 7, result: { tools: expect.any(Array) } });
  });

  it('takes null when arguments are left out', async () => {
    const answer = await (await post(request('tools/call', { name: 'execute', arguments: null, _meta: null }))).json();
    expect(answer).toMatchObject({ id: 7, result: { isError: true, _meta: { problem: { code: 'VALIDATION_FAILED' } } } });
  });

  it('takes arguments that are the JSON text of an object, and no other text', async () => {
    const call = async (args: string): Promise<unknown> => (await post(request('tools/call', { name: 'execute', arguments: args }))).json();
    const missing = { id: 7, result: { isError: true, _meta: { problem: { code: 'VALIDATION_FAILED' } } } };
    expect(await call('{"session_id":"s"}')).toMatchObject(missing);
    for (const text of ['', 'ls', '["ls"]', '"{}"', 'null', '{"session_id":']) {
      expect([text, await call(text)]).toEqual([text, expect.objectContaining({ error: expect.objectContaining({ code: -32602 }) })]);
    }
  });

  it('refuses a request when it names a protocol version that the server does not know', async () => {
    const unknown = await post(PING, { 'MCP-Protocol-Version': '1999-01-01' });
    expect(unknown.status).toBe(400);
    for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
      expect((await post(PING, { 'MCP-Protocol-Version': version })).status).toBe(200);
    }
  });

  it('offers its latest version when a client asks for an unknown one', async () => {
    const params = { protocolVersion: '1999-01-01', capabilities: {}, clientInfo: { name: 'old', version: '0' } };
    const response = await post(request('initialize', params));
    expect(await response.json()).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
  });

  it('refuses a body when it is over the limit or of another type', async () => {
    const tooLong = await post(request('ping', { filler: 'x'.repeat(2 * 1024 * 1024) }));
    expect(tooLong.status).toBe(413);
    const otherType = await post(PING, { 'Content-Type': 'text/plain' });
    expect([otherType.status, await otherType.json()]).toEqual([415, expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE' })]);
  });
});
