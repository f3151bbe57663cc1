import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dial } from './dial';
import { parseProxy } from './proxy';

interface Asked {
  readonly target: string | undefined;
  readonly host: string | undefined;
  readonly authorization: string | undefined;
}

/** Reads until the other side ends, and leaves the socket open. The consumers of Node close it. */
async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

describe('dial through a proxy', () => {
  let directory: string;
  let pair: { key: string; cert: string };
  let server: Server;
  let port: number;
  let asked: Asked[];
  let sockets: Socket[];
  /** What the proxy sends to the client, and whether it then echoes. */
  let answer: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sandbox-proxy-'));
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
    const { status } = spawnSync('openssl', ['req', '-x509', '-subj', '/CN=proxy', '-addext', 'subjectAltName=IP:127.0.0.1', ...options]);
    expect(status).toBe(0);
    pair = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  beforeEach(async () => {
    [asked, sockets, answer] = [[], [], 'HTTP/1.1 200 Connection established\r\n\r\n'];
    await listen(createServer());
  });
  afterEach(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });

  async function listen(proxy: Server): Promise<void> {
    server?.close();
    server = proxy;
    server.on('connect', ({ url, headers }, socket: Socket) => {
      asked.push({ target: url, host: headers.host, authorization: headers['proxy-authorization'] });
      sockets.push(socket.on('error', () => undefined));
      socket.write(answer);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }

  const dialBy = (url: string, more = {}): Promise<Socket> =>
    dial({ name: 'pypi.org', port: 443, addresses: [], proxy: parseProxy(url), ...more });
  const failureOf = (dialled: Promise<Socket>): Promise<unknown> =>
    dialled.then(
      () => 'connected',
      (error: { failure: string }) => error.failure,
    );

  it('asks the proxy for the name, and carries what follows', async () => {
    const socket = await dialBy(`http://127.0.0.1:${port}`);
    socket.end('hello');
    expect(await allOf(socket)).toBe('hello');
    expect(asked).toEqual([{ target: 'pypi.org:443', host: 'pypi.org:443', authorization: undefined }]);
  });

  it('sends the credentials of the URL', async () => {
    const socket = await dialBy(`http://me:pass@127.0.0.1:${port}`);
    expect(asked[0]!.authorization).toBe('Basic bWU6cGFzcw==');
    socket.destroy();
  });

  it('delivers what the server sends first, when it comes with the proxy’s answer', async () => {
    answer = 'HTTP/1.1 200 OK\r\n\r\nSSH-2.0-';
    const socket = await dialBy(`http://127.0.0.1:${port}`);
    socket.end('hello');
    expect(await allOf(socket)).toBe('SSH-2.0-hello');
  });

  it('ends each side by itself', async () => {
    const socket = await dialBy(`http://127.0.0.1:${port}`);
    const [proxied] = sockets as [Socket];
    proxied.unpipe();
    proxied.end('all');
    expect(await allOf(socket)).toBe('all');
    socket.end('late');
    expect(await allOf(proxied)).toBe('late');
  });

  it.each([
    'HTTP/1.1 403 Forbidden\r\n\r\n',
    'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
    'HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n',
  ])('fails when the proxy answers %j', async (refusal) => {
    answer = refusal;
    expect(await failureOf(dialBy(`http://127.0.0.1:${port}`))).toBe('proxy_refused');
  });

  it.each(['SSH-2.0-OpenSSH_9.2\r\n', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`])(
    'fails when the proxy answers what is no answer',
    async (garbage) => {
      answer = garbage;
      expect(await failureOf(dialBy(`http://127.0.0.1:${port}`))).toBe('failed');
    },
  );

  it('fails when the proxy is not there, or says nothing in time', async () => {
    answer = '';
    expect(await failureOf(dialBy(`http://127.0.0.1:${port}`, { timeoutMs: 300 }))).toBe('timed_out');
    expect(await failureOf(dialBy(`http://127.0.0.1:${port}`, { signal: AbortSignal.abort() }))).toBe('cancelled');
    expect(await failureOf(dialBy(`http://127.0.0.9:${port}`))).toBe('refused');
  });

  it('keeps a connection that was made when its time is over', async () => {
    const controller = new AbortController();
    const socket = await dialBy(`http://127.0.0.1:${port}`, { signal: controller.signal, timeoutMs: 1_000 });
    controller.abort();
    await new Promise((done) => setTimeout(done, 1_200));
    socket.end('hello');
    expect(await allOf(socket)).toBe('hello');
  });

  it('speaks TLS to a proxy whose certificate is trusted, and to no other', async () => {
    await listen(createSecureServer(pair));
    expect(await failureOf(dialBy(`https://127.0.0.1:${port}`))).toBe('failed');
    expect(asked).toEqual([]);
    const proxy = { ...parseProxy(`https://me:pass@127.0.0.1:${port}`), ca: pair.cert };
    const socket = await dial({ name: 'pypi.org', port: 443, addresses: [], proxy });
    socket.end('hello');
    expect(await allOf(socket)).toBe('hello');
    expect(asked).toEqual([{ target: 'pypi.org:443', host: 'pypi.org:443', authorization: 'Basic bWU6cGFzcw==' }]);
  });
});
