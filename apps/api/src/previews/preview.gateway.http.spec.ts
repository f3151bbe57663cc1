import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { OpenPort, PortsService } from '@sandbox/orchestrator';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../../../../test/support/service/processes';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const TOKEN = '0123456789abcdef0123456789abcdef';
const PORT = 5173;
const ABSENT = 'There is no such preview (any more).\n';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The program behind a preview. It is on this machine, since these tests are about HTTP. */
class Program {
  readonly server: Server;
  handle: Handler = (_request, response) => void response.end('hello');
  readonly seen: IncomingMessage[] = [];

  constructor() {
    this.server = createServer((request, response) => {
      this.seen.push(request);
      this.handle(request, response);
    });
    this.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.seen.push(request);
      this.handle(request, response);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }
}

let app: TestApp;
const program = new Program();
/** Where the connections of a preview lead. */
let target = 0;
let failure: SandboxError | undefined;
/** Whether a connection has broken off when the preview gets it. */
let isBroken = false;
const openByToken = jest.fn<Promise<OpenPort>, Parameters<PortsService['openByToken']>>();

async function dial(): Promise<Socket> {
  if (failure !== undefined) throw failure;
  const socket = connect(target, '127.0.0.1');
  await once(socket, 'connect');
  if (isBroken) await once(socket.destroy(), 'close');
  return socket;
}

beforeAll(async () => {
  app = await TestApp.start({ ports: { openByToken } });
  await once(program.server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  await app.stop();
  program.server.closeAllConnections();
  program.server.close();
});
beforeEach(() => {
  program.seen.length = 0;
  target = program.port;
  failure = undefined;
  isBroken = false;
  openByToken.mockReset();
  openByToken.mockImplementation(async (token, port) => {
    if (token !== TOKEN || port !== PORT) throw new SandboxError(ErrorCode.NOT_FOUND, ABSENT.trim());
    const listPorts = async () => [80, 80, 9000].map((each) => ({ port: each, address: '::', program: 'secret --password x' }));
    return { connect: dial, listPorts };
  });
});

const host = (token = TOKEN, port = PORT): string => `${port}-${token}.localhost:${app.port}`;

interface Got {
  status: number;
  headers: IncomingMessage['headers'];
  raw: string[];
  body: string;
}

/** Makes a request to a host of that name. */
async function get(
  path: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string; to?: string } = {},
): Promise<Got> {
  const { method = 'GET', headers = {}, body, to = host() } = options;
  const sent = httpRequest({ port: app.port, host: '127.0.0.1', path, method, headers: { Host: to, ...headers } });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks = await response.toArray();
  return { status: response.statusCode!, headers: response.headers, raw: response.rawHeaders, body: Buffer.concat(chunks).toString() };
}

/** Sends exactly these bytes, and gives back all that comes until the connection is closed. */
async function raw(text: string): Promise<string> {
  const socket = connect(app.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return answer;
}

/**
 * Has a program answer these very bytes to whatever it is sent, and close. Gives what it was sent.
 */
async function withRawProgram<T>(answer: string, use: (received: () => string) => Promise<T>): Promise<T> {
  let received = '';
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.includes('\r\n\r\n')) socket.end(answer, 'latin1');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  target = (server.address() as AddressInfo).port;
  try {
    return await use(() => received);
  } finally {
    server.close();
  }
}

describe('the host name of a preview', () => {
  it('reaches the program, and never the API, whatever the path is', async () => {
    for (const path of ['/', '/health', '/docs', '/openapi.json', '/mcp', '/sessions?x=%2F..&y']) {
      expect([path, (await get(path, { headers: { 'X-API-Key': API_KEY } })).body]).toEqual([path, 'hello']);
      expect(program.seen.pop()!.url).toBe(path);
    }
  });

  it('answers the same when a token is unknown, of another port or none', async () => {
    const hosts = [host('f'.repeat(32)), host(TOKEN, 80), host(TOKEN.slice(1)), `a.${host()}`, host(`${TOKEN}0`)];
    const answers = await Promise.all(hosts.map((to) => get('/health', { to })));
    const [first] = answers;
    expect([first!.status, first!.body]).toEqual([404, ABSENT]);
    for (const { status, body, headers } of answers)
      expect({ status, body, headers: { ...headers, date: '' } }).toEqual({
        status: 404,
        body: ABSENT,
        headers: { ...first!.headers, date: '' },
      });
    expect(program.seen).toEqual([]);
  });

  it('is not the API’s own, nor is the API’s a preview’s', async () => {
    for (const to of ['localhost', `localhost:${app.port}`, '127.0.0.1', 'example.com'])
      expect((await get('/health', { to })).body).toBe('{"status":"ok"}');
    expect(openByToken).not.toHaveBeenCalled();
  });

  it('is refused when it comes with another host or a whole address', async () => {
    const two = await raw(`GET / HTTP/1.1\r\nHost: ${host()}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const whole = await raw(`GET http://${host()}/ HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`);
    for (const answer of [two, whole]) expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(program.seen).toEqual([]);
  });

  // Before the next test, whose own API takes the log over.
  it('never stands in the log', async () => {
    await get('/path?secret=1', { method: 'PUT', headers: { Cookie: 'secret=2' } });
    await get('/', { method: 'PUT', to: host('f'.repeat(32)) });
    const lines = await eventually('both are logged', async () => {
      const found = app.log.filter((line) => line.includes('"Previews"') && line.includes('"PUT"'));
      return found.length === 2 && found;
    });
    expect(lines.map((line) => (JSON.parse(line) as { status: number; port: number }).status).slice(-2)).toEqual([200, 404]);
    expect(app.log.join('')).not.toMatch(new RegExp(`${TOKEN}|f{32}|secret`));
  });

  it('counts wrong tokens, and lets right ones pass all the same', async () => {
    const own = await TestApp.start({ ports: { openByToken } });
    try {
      const ask = async (token: string): Promise<number> => {
        const sent = httpRequest({ port: own.port, host: '127.0.0.1', headers: { Host: host(token) } }).end();
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        response.resume();
        return response.statusCode!;
      };
      const wrong: number[] = [];
      for (let n = 0; n < 62; n++) wrong.push(await ask('f'.repeat(32)));
      expect([wrong.filter((status) => status === 404).length, wrong.slice(-2)]).toEqual([60, [429, 429]]);
      expect(await ask(TOKEN)).toBe(200);
      expect((await fetch(`${own.url}/sessions`, { headers: { 'X-API-Key': 'wrong' } })).status).toBe(429);
    } finally {
      await own.stop();
    }
  });
});

describe('a Bearer token in a request by a preview', () => {
  it('is counted as a guess when it is new, and none of a program’s own is', async () => {
    const own = await TestApp.start({ ports: { openByToken } });
    try {
      const ask = async (authorization: string): Promise<number> => {
        const sent = httpRequest({ port: own.port, host: '127.0.0.1', headers: { Host: host(), Authorization: authorization } }).end();
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        response.resume();
        return response.statusCode!;
      };
      const statuses: number[] = [];
      for (let n = 0; n < 62; n++) statuses.push(await ask(`Bearer guess-${n}`), await ask('Bearer programs own'));
      const guesses = statuses.filter((_, at) => at % 2 === 0);
      // One attempt is the program's own token.
      expect([guesses.filter((status) => status === 200).length, guesses.slice(-3)]).toEqual([59, [429, 429, 429]]);
      // A guess that was refused is no answer the second time either.
      expect(await ask('Bearer guess-61')).toBe(429);
      for (const each of ['Bearer programs own', `Bearer ${API_KEY}`, 'Basic eA==', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA'])
        expect([each, await ask(each)]).toEqual([each, 200]);
      expect(program.seen.map(({ headers }) => headers.authorization)).not.toContain(`Bearer ${API_KEY}`);
    } finally {
      await own.stop();
    }
  });
});

describe('a request by a preview', () => {
  it('comes to the program as one to localhost, without anything of the API’s', async () => {
    await get('/', {
      headers: {
        'X-API-Key': API_KEY,
        Authorization: `Bearer ${API_KEY}`,
        Origin: `http://${host()}`,
        Cookie: 'own=1',
        Connection: 'close, X-Hop',
        'X-Hop': '1',
      },
    });
    const { headers } = program.seen[0]!;
    expect(headers).toMatchObject({
      host: `localhost:${PORT}`,
      origin: `http://localhost:${PORT}`,
      cookie: 'own=1',
    });
    for (const name of ['x-api-key', 'authorization', 'x-hop', 'x-forwarded-host'])
      expect([name, headers[name]]).toEqual([name, undefined]);
    await get('/', { headers: { Authorization: 'Basic cHJvZ3JhbTpvd24=' } });
    expect(program.seen[1]!.headers).toMatchObject({ authorization: 'Basic cHJvZ3JhbTpvd24=', 'x-forwarded-host': host() });
  });

  it('keeps method, status, headers and bytes', async () => {
    program.handle = (request, response) => {
      response.writeHead(418, [
        'X-One',
        'a',
        'x-one',
        'b',
        'Set-Cookie',
        's=1; Domain=localhost',
        'ETag',
        '"1"',
        'Location',
        `http://localhost:${PORT}/x`,
      ]);
      void request.toArray().then((chunks) => response.end(Buffer.concat([Buffer.from(`${request.method} `), ...(chunks as Buffer[])])));
    };
    const answer = await get('/a', { method: 'PATCH', body: 'bytes' });
    expect([answer.status, answer.body]).toEqual([418, 'PATCH bytes']);
    expect(answer.raw.join('|')).toContain('X-One|a|x-one|b|Set-Cookie|s=1|ETag|"1"|Location|/x');
    expect(answer.headers['referrer-policy']).toBe('same-origin');
  });

  it('has no content in the answer when it is a HEAD, and passes 304 and ranges on', async () => {
    program.handle = ({ headers }, response) => {
      if (headers['if-none-match'] !== undefined) response.writeHead(304, { ETag: '"1"' }).end();
      else if (headers.range !== undefined) response.writeHead(206, { 'Content-Range': 'bytes 1-2/5', 'Content-Length': 2 }).end('el');
      else response.writeHead(200, { 'Content-Length': 5 }).end('hello');
    };
    const head = await get('/', { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '5', '']);
    expect((await get('/', { headers: { 'If-None-Match': '"1"' } })).status).toBe(304);
    const part = await get('/', { headers: { Range: 'bytes=1-2' } });
    expect([part.status, part.body, part.headers['content-range']]).toEqual([206, 'el', 'bytes 1-2/5']);
  });

  it('shows each event when it is sent', async () => {
    let response!: ServerResponse;
    program.handle = (_request, answer) => {
      response = answer;
      answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
      answer.flushHeaders();
    };
    const sent = httpRequest({ port: app.port, host: '127.0.0.1', headers: { Host: host() } }).end();
    const [events] = (await once(sent, 'response')) as [IncomingMessage];
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      response.write(text);
      expect(String((await once(events, 'data'))[0])).toBe(text);
    }
    response.end();
    await once(events, 'end');
  });

  it.each([
    ['accepts', true],
    ['refuses', false],
  ])('waits for the program before it sends content, when that %s it', async (_, accepts) => {
    program.handle = (request, response) => {
      if (!accepts) return void response.writeHead(417, { Connection: 'close' }).end('no');
      response.writeContinue();
      request.pipe(response);
    };
    const sent = httpRequest({
      port: app.port,
      host: '127.0.0.1',
      method: 'POST',
      headers: { Host: host(), Expect: '100-continue', 'Content-Length': 4 },
    });
    let continued = false;
    sent.on('continue', () => {
      continued = true;
      sent.end('body');
    });
    sent.on('error', () => undefined);
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect([continued, response.statusCode, Buffer.concat(await response.toArray()).toString()]).toEqual(
      accepts ? [true, 200, 'body'] : [false, 417, 'no'],
    );
    sent.destroy();
  });

  it('goes on one connection after another, and answers in order when several come at once', async () => {
    program.handle = ({ url }, response) => void setTimeout(() => response.end(url), url === '/1' ? 50 : 0);
    const one = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${host()}\r\n${more}\r\n`;
    const answer = await raw(one('/1') + one('/2') + one('/3', 'Connection: close\r\n'));
    expect(answer.match(/\/\d(?=HTTP|$)/g)).toEqual(['/1', '/2', '/3']);
  });

  it.each([
    ['a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two lengths', 'Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another coding', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a bare line feed', 'X-A: b\nContent-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a space before the colon', 'Content-Length : 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a coding that is none', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a folded header', 'X-A: b\r\n Content-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a length with a sign', 'Content-Length: +40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a chunk with more than it says', 'Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a chunk of no size', 'Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('smuggles no other request to the program when it has %s', async (_, rest) => {
    program.handle = (request, response) => {
      request.resume();
      request.on('end', () => response.end('ok'));
    };
    const answer = await raw(`POST /first HTTP/1.1\r\nHost: ${host()}\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(program.seen.map(({ url }) => url)).not.toContain('/smuggled');
  });

  it('comes and is answered whole when there are thousands of headers', async () => {
    let received = '';
    program.handle = (request, response) => {
      void request.toArray().then((chunks) => {
        received = Buffer.concat(chunks as Buffer[]).toString();
        response.writeHead(200, [...Array.from({ length: 1_500 }, () => ['a', '']), ['X-Last', 'yes']].flat()).end('answer');
      });
    };
    const headers = `Connection: close\r\n${'a:\r\n'.repeat(1_500)}Transfer-Encoding: chunked\r\n\r\n`;
    const answer = await raw(`POST /first HTTP/1.1\r\nHost: ${host()}\r\n${headers}7\r\ncontent\r\n0\r\n\r\n`);
    expect(received).toBe('content');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\nX-Last: yes\r\n[^]*answer/);
  });

  it('is no WebSocket when it has content', async () => {
    program.handle = (request, response) => void request.pipe(response);
    const headers = 'Connection: close, Upgrade\r\nUpgrade: websocket\r\nContent-Length: 7\r\n\r\ncontent';
    for (const method of ['POST', 'GET']) {
      expect(await raw(`${method} / HTTP/1.1\r\nHost: ${host()}\r\n${headers}`)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*content/);
      expect(program.seen.pop()).toMatchObject({ method, headers: { 'content-length': '7' } });
    }
  });

  it('is refused when its content has a coding besides chunks, which would be lost', async () => {
    const answer = await raw(
      `POST / HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*The only Transfer-Encoding that is understood is chunked\./);
    expect(program.seen).toEqual([]);
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a header with a NUL', 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n'],
    ['another protocol without being asked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
    ['too many headers', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['a status that is none', 'HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n'],
    ['nothing', ''],
  ])('answers 502 with the ports that listen when the program answers %s', async (_, answer) => {
    await withRawProgram(answer, async () => {
      const { status, body, headers } = await get('/');
      expect([status, body]).toEqual([
        502,
        `The program on port ${PORT} gave no answer in HTTP.\n\nPrograms in this sandbox listen on: 80, 9000\n`,
      ]);
      expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    });
  });

  it('gets the answer when some interim ones come before it', async () => {
    const interim = 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    await withRawProgram(`${interim}HTTP/1.1 204 No\r\nX-A: b\r\n\r\n`, async () => {
      expect(await get('/')).toMatchObject({ status: 204, headers: { 'x-a': 'b' } });
    });
  });

  it.each(['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'])(
    'answers 502 when the program gives interim answers without end: %j',
    async (interim) => {
      const server = createTcpServer((socket) => {
        const more = (error?: Error | null): void => {
          if (!error) socket.write(interim.repeat(1_000), more);
        };
        socket.on('error', () => undefined);
        more();
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      target = (server.address() as AddressInfo).port;
      expect((await get('/')).status).toBe(502);
      server.close();
    },
  );

  it('answers a page when there is no connection', async () => {
    failure = new SandboxError(ErrorCode.PORT_UNREACHABLE, 'Nothing listens on port 5173.');
    expect(await get('/')).toMatchObject({
      status: 502,
      body: 'Nothing listens on port 5173.\n\nPrograms in this sandbox listen on: 80, 9000\n',
    });
    failure = new SandboxError(ErrorCode.TOO_MANY_CONNECTIONS, 'Too many.', { retryAfter: 1 });
    expect(await get('/', { method: 'POST', body: 'x'.repeat(1_000_000) })).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
  });

  it('answers a page when the connection has broken off already', async () => {
    isBroken = true;
    expect((await get('/')).status).toBe(502);
    expect((await get('/', { method: 'POST', body: 'content' })).status).toBe(502);
  });

  it('breaks off when the program breaks off in the middle of its answer', async () => {
    for (const answer of [
      'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    ]) {
      await withRawProgram(answer, async () => {
        await expect(get('/')).rejects.toThrow(/aborted|hang up/);
      });
    }
  });

  it('tells the program when the client goes away', async () => {
    const gone = new Promise((resolve) => {
      program.handle = (_request, response) => {
        response.write('begun');
        response.once('close', resolve);
      };
    });
    const sent = httpRequest({ port: app.port, host: '127.0.0.1', headers: { Host: host() } }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    response.destroy();
    await gone;
  });

  it('gives the answer when the program does not want all of a long content', async () => {
    program.handle = (_request, response) => void response.writeHead(413).end('enough');
    const answer = await get('/', { method: 'POST', body: 'x'.repeat(20_000_000) });
    expect([answer.status, answer.body]).toEqual([413, 'enough']);
    program.handle = (_request, response) => void response.end('next');
    expect((await get('/')).body).toBe('next');
  });
});

describe('a WebSocket by a preview', () => {
  const sockets = new WebSocketServer({ noServer: true });
  const asked: IncomingMessage[] = [];

  beforeAll(() => {
    program.server.on('upgrade', (request, socket, head) => {
      asked.push(request);
      if (request.url === '/refused') return void socket.end('HTTP/1.1 403 Forbidden\r\nX-Why: not\r\nContent-Length: 2\r\n\r\nno');
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.send('first');
        webSocket.on('message', (data: Buffer, isBinary) => webSocket.send(data, { binary: isBinary }));
      });
    });
  });

  const open = (path: string, to = host(), headers: Record<string, string> = {}): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${app.port}${path}`, ['vite-hmr'], { headers: { Host: to, ...headers } });

  it('carries messages both ways, and the program sees localhost', async () => {
    const socket = open('/?token=x', host(), { Origin: `http://${host()}`, 'X-API-Key': API_KEY });
    expect(String((await once(socket, 'message'))[0])).toBe('first');
    expect(socket.protocol).toBe('vite-hmr');
    const bytes = Buffer.alloc(300_000, 7);
    socket.send(bytes);
    expect(bytes.equals((await once(socket, 'message'))[0] as Buffer)).toBe(true);
    const { url, headers } = asked.pop()!;
    expect([url, headers.host, headers.origin, headers['x-api-key']]).toEqual([
      '/?token=x',
      `localhost:${PORT}`,
      `http://localhost:${PORT}`,
      undefined,
    ]);
    socket.close(1000);
    expect((await once(socket, 'close'))[0]).toBe(1000);
  });

  it('passes on what the client sends right after its request', async () => {
    const socket = connect(app.port, '127.0.0.1');
    const received = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (text.endsWith('early')) resolve(text);
      });
      const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
      // A masked text frame: the mask is zero.
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${host()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\x81\x85\0\0\0\0early`,
        'latin1',
      );
    });
    expect(received).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    socket.destroy();
    await eventually('the program sees it', async () => sockets.clients.size === 0);
  });

  it.each([
    ['/refused', TOKEN, 403, 'no'],
    ['/', 'f'.repeat(32), 404, ABSENT],
  ])('gets the answer when it is refused: %s', async (path, token, status, body) => {
    const socket = open(path, host(token));
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect([response.statusCode, Buffer.concat(await response.toArray()).toString()]).toEqual([status, body]);
  });

  it('gets 502 when nothing listens', async () => {
    failure = new SandboxError(ErrorCode.PORT_UNREACHABLE, 'Nothing listens on port 5173.');
    const socket = open('/');
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(502);
    response.destroy();
  });

  it('ends when either side breaks off', async () => {
    const socket = open('/');
    socket.on('error', () => undefined);
    await once(socket, 'message');
    const [served] = [...sockets.clients];
    served!.terminate();
    expect((await once(socket, 'close'))[0]).toBe(1006);
    const other = open('/');
    await once(other, 'message');
    const next = [...sockets.clients].find(({ readyState }) => readyState === WebSocket.OPEN);
    other.terminate();
    await once(next!, 'close');
  });
});
