import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { PortsService } from '@sandbox/orchestrator';
import { WebSocket, WebSocketServer } from 'ws';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const TOKEN = '0123456789abcdef0123456789abcdef';
const exposePort = jest.fn<ReturnType<PortsService['exposePort']>, Parameters<PortsService['exposePort']>>();
const revokePort = jest.fn<ReturnType<PortsService['revokePort']>, Parameters<PortsService['revokePort']>>();
const openOwn = jest.fn<ReturnType<PortsService['openOwn']>, Parameters<PortsService['openOwn']>>();
const listPorts = jest.fn<ReturnType<PortsService['listPorts']>, Parameters<PortsService['listPorts']>>();

let app: TestApp;
const seen: IncomingMessage[] = [];
const program = createServer((request, response) => {
  seen.push(request);
  response.writeHead(201, [
    ...['Set-Cookie', 'a=1', 'Access-Control-Allow-Origin', '*', 'Service-Worker-Allowed', '/', 'Strict-Transport-Security', 'max-age=9'],
    ...[
      'Content-Security-Policy',
      'x',
      'X-Request-Id',
      'y',
      'Cache-Control',
      'max-age=9',
      'Content-Type',
      'text/html',
      'Location',
      '/next',
    ],
  ]);
  request.pipe(response);
});
const sockets = new WebSocketServer({ server: program });
sockets.on('connection', (socket) => socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary })));

beforeAll(async () => {
  await once(program.listen(0, '127.0.0.1'), 'listening');
  app = await TestApp.start({ ports: { exposePort, revokePort, openOwn, listPorts } });
});
afterAll(async () => {
  await app.stop();
  program.closeAllConnections();
  program.close();
});
beforeEach(() => {
  jest.resetAllMocks();
  seen.length = 0;
  exposePort.mockResolvedValue({ token: TOKEN, expiresAt: 1_000 });
  openOwn.mockImplementation(async () => ({
    connect: async () => {
      const socket = connect((program.address() as AddressInfo).port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    listPorts: async () => [],
  }));
});

describe('the ports of a session', () => {
  it('are listed', async () => {
    listPorts.mockResolvedValue([{ port: 80, address: '::', program: null }]);
    expect(await (await app.fetch('/sessions/a%2Fb/ports')).json()).toEqual({ ports: [{ port: 80, address: '::', program: null }] });
    expect(listPorts.mock.calls[0]![1]).toBe('a/b');
  });

  it('get a URL on this server, for an hour unless the caller says otherwise', async () => {
    const answer = await app.fetch('/sessions/s/ports/8000', { method: 'POST' });
    expect([answer.status, await answer.json()]).toEqual([
      201,
      { url: `http://8000-${TOKEN}.localhost:${app.port}/`, expires_at: '1970-01-01T00:00:01.000Z' },
    ]);
    await app.json('POST', '/sessions/s/ports/8000', { expires_in: 60 });
    expect(exposePort.mock.calls.map(([, ...rest]) => rest)).toEqual([
      ['s', 8000, 3600],
      ['s', 8000, 60],
    ]);
  });

  it('are revoked', async () => {
    expect((await app.fetch('/sessions/s/ports/8000', { method: 'DELETE' })).status).toBe(204);
    expect(revokePort.mock.calls[0]!.slice(1)).toEqual(['s', 8000]);
  });

  it.each(['0', '65536', '080', '-1', '1.5', 'x', '8000x'])('are refused when the number is %s', async (port) => {
    const answer = await app.fetch(`/sessions/s/ports/${port}`, { method: 'POST' });
    expect([answer.status, ((await answer.json()) as { errors: { field: string }[] }).errors[0]!.field]).toEqual([422, 'port']);
    expect((await app.fetch(`/sessions/s/ports/${port}/proxy/`)).status).toBe(422);
  });
});

describe('a request to a program with a credential', () => {
  const path = '/sessions/a%2Fb/ports/8000/proxy';

  it.each([
    [path, '/'],
    [`${path}/`, '/'],
    [`${path}?a=b`, '/?a=b'],
    [`${path}/x%2Fy//z?a=/proxy/b&c`, '/x%2Fy//z?a=/proxy/b&c'],
  ])('asks at %s for %s', async (url, asked) => {
    expect((await app.fetch(url, { method: 'DELETE' })).status).toBe(201);
    expect([seen[0]!.method, seen[0]!.url]).toEqual(['DELETE', asked]);
    expect(openOwn.mock.calls[0]!.slice(1, 3)).toEqual(['a/b', 8000]);
  });

  it('carries no credential and no cookie to the program', async () => {
    const headers = { Cookie: 'ours=1', Authorization: 'Basic cHJvZ3JhbTpvd24=' };
    const answer = await app.fetch(`${path}/`, { method: 'POST', headers, body: 'content' });
    expect(await answer.text()).toBe('content');
    expect(seen[0]!.headers).toMatchObject({ host: 'localhost:8000', 'x-forwarded-prefix': path, authorization: 'Basic cHJvZ3JhbTpvd24=' });
    for (const name of ['cookie', 'x-api-key']) expect(seen[0]!.headers[name]).toBeUndefined();
    await fetch(`${app.url}${path}/`, { headers: { Authorization: `Bearer ${API_KEY}` } });
    expect(seen[1]!.headers.authorization).toBeUndefined();
  });

  it('brings nothing of the program’s to the origin of the API', async () => {
    const { headers } = await app.fetch(`${path}/`);
    for (const name of ['set-cookie', 'access-control-allow-origin', 'service-worker-allowed', 'strict-transport-security'])
      expect([name, headers.get(name)]).toEqual([name, null]);
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-request-id')).not.toBe('y');
    expect([headers.get('content-type'), headers.get('location')]).toEqual(['text/html', `${path}/next`]);
  });

  it('answers a problem when it is refused', async () => {
    expect((await fetch(`${app.url}${path}/`)).status).toBe(401);
    openOwn.mockRejectedValue(new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'None.'));
    const absent = await app.fetch(`${path}/`, { method: 'POST', body: 'x' });
    expect([absent.status, await absent.json()]).toMatchObject([404, { code: 'SESSION_NOT_FOUND' }]);
    expect(seen).toEqual([]);
  });
});

describe('a WebSocket with a credential', () => {
  const open = (path: string, headers: Record<string, string> = { 'X-API-Key': API_KEY }): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${app.port}${path}`, { headers });
  const refused = async (socket: WebSocket): Promise<number> => {
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    response.destroy();
    return response.statusCode!;
  };

  it('reaches a program that takes one', async () => {
    const socket = open('/sessions/s/ports/8000/proxy/ws?x');
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.close();
    await once(socket, 'close');
  });

  it('carries the bytes of a connection, and its ends', async () => {
    const socket = open('/sessions/s/ports/8000/tcp');
    await once(socket, 'open');
    socket.send(Buffer.from('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n'));
    socket.send(Buffer.from('body'));
    let text = '';
    socket.on('message', (data: Buffer, isBinary) => (text += isBinary ? data.toString() : 'no text is sent'));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 201 Created\r\n[^]*body/);
  });

  it('is refused before it opens', async () => {
    for (const way of ['tcp', 'proxy/']) {
      expect(await refused(open(`/sessions/s/ports/8000/${way}`, {}))).toBe(401);
      expect(await refused(open(`/sessions/s/ports/70000/${way}`))).toBe(422);
    }
    expect(await refused(open('/sessions/s/ports/8000/tcp?x=1'))).toBe(422);
    openOwn.mockResolvedValue({
      connect: () => Promise.reject(new SandboxError(ErrorCode.PORT_UNREACHABLE, 'None.')),
      listPorts: async () => [],
    });
    for (const way of ['tcp', 'proxy/']) expect(await refused(open(`/sessions/s/ports/8000/${way}`))).toBe(502);
  });
});
