import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { readRequestHost } from './http-host';

const read = (text: string): ReturnType<typeof readRequestHost> => readRequestHost(Buffer.from(text, 'latin1'));
const found = (name: string, port?: number): object => ({ state: 'found', name, port });

describe('readRequestHost', () => {
  it.each([
    ['GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n', found('pypi.org')],
    ['GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\nbody', found('pypi.org')],
    ['GET / HTTP/1.0\r\nAccept: */*\r\nHOST:PyPI.org.\t \r\nX-A:\r\n\r\n', found('pypi.org')],
    ['POST /a?b=http://evil.example/ HTTP/1.1\r\nHost: pypi.org:80\r\n\r\n', found('pypi.org', 80)],
    ['GET / HTTP/1.1\r\nHost: pypi.org:8080\r\n\r\n', found('pypi.org', 8080)],
    ['OPTIONS * HTTP/1.1\r\nHost: pypi.org\r\n\r\n', found('pypi.org')],
    ['M-SEARCH / HTTP/1.1\r\nHost: pypi.org\r\nX-Host: evil.example\r\n\r\n', found('pypi.org')],
    ['GET http://pypi.org HTTP/1.1\r\nHost: pypi.org\r\n\r\n', found('pypi.org')],
    ['GET HTTP://PYPI.org:80/simple?a HTTP/1.1\r\nHost: pypi.org\r\n\r\n', found('pypi.org')],
    ['GET http://pypi.org/ HTTP/1.1\r\nHost: pypi.org:80\r\n\r\n', found('pypi.org', 80)],
    ['GET /\xe9 HTTP/1.1\r\nHost: pypi.org\r\nX: \xe9\t\r\n\r\n', found('pypi.org')],
  ])('finds the host of %j', (text, host) => {
    expect(read(text)).toEqual(host);
  });

  it.each([
    ['GET / HTTP/1.0\r\n\r\n', 'it has no Host field'],
    ['GET / HTTP/1.1\r\nHost:\r\n\r\n', 'its Host field is empty'],
    ['GET / HTTP/1.1\r\nHost: pypi.org\r\nHost: pypi.org\r\n\r\n', 'it has two Host fields'],
    ['GET / HTTP/1.1\r\nHost: pypi.org\r\nhOST: evil.example\r\n\r\n', 'it has two Host fields'],
    ['GET / HTTP/1.1\r\nHost: pypi.org, evil.example\r\n\r\n', 'its Host field has two names'],
    ['GET / HTTP/1.1\r\nHost: pypi.org evil.example\r\n\r\n', 'its Host field has two words'],
    ['GET / HTTP/1.1\r\nHost: user@pypi.org\r\n\r\n', 'its Host field has a user'],
    ['GET / HTTP/1.1\r\nHost: pypi.org/\r\n\r\n', 'its Host field has a path'],
    ['GET / HTTP/1.1\r\nHost: pypi.org:\r\n\r\n', 'its Host field has an empty port'],
    ['GET / HTTP/1.1\r\nHost: pypi.org:80:80\r\n\r\n', 'its Host field has two ports'],
    ['GET / HTTP/1.1\r\nHost: b\xfccher.example\r\n\r\n', 'its Host field is not ASCII'],
    ['GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n', 'its Host field has an address'],
    ['GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', 'its Host field has an IPv6 address'],
    ['GET http://evil.example/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has another host'],
    ['GET http://pypi.org:81/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has another port'],
    ['GET http://a@pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has a user'],
    ['GET http:/// HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has an empty host'],
    ['GET http://pypi.org/ HTTP/1.1\r\n\r\n', 'it has a host in its target alone'],
    ['CONNECT evil.example:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'it asks for a connection to another host'],
    ['CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'it asks for a connection'],
  ])('finds no one host in %j because %s', (text) => {
    expect(read(text)).toEqual({ state: 'none' });
  });

  it.each([
    ['\r\nGET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'a line stands before it'],
    [' GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'a blank stands before it'],
    ['GET  / HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'it has two blanks'],
    ['GET / HTTP/1.1 \r\nHost: pypi.org\r\n\r\n', 'a blank ends its line'],
    ['GET /a b HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has a blank'],
    ['GET /\0 HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has a NUL'],
    ['GET /\x7f HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has a control character'],
    ['GET /\r HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its line has a bare CR'],
    ['GET /\r\n', 'it is of HTTP/0.9'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'it is of HTTP/2'],
    ['GET / HTTP/11\r\nHost: pypi.org\r\n\r\n', 'its version is none'],
    ['SSH-2.0-OpenSSH_9.2\r\n', 'it is ssh'],
    ['GET / HTTP/1.1\nHost: pypi.org\n\n\r\n', 'its lines end by a bare LF'],
    ['GET / HTTP/1.1\r\nX: a\nHost: evil.example\r\nHost: pypi.org\r\n\r\n', 'a field has a bare LF'],
    ['GET / HTTP/1.1\r\nX: a\rHost: evil.example\r\nHost: pypi.org\r\n\r\n', 'a field has a bare CR'],
    ['GET / HTTP/1.1\r\nX: \0\r\nHost: pypi.org\r\n\r\n', 'a field has a NUL'],
    ['GET / HTTP/1.1\r\nHost: pypi.org\r\n evil.example\r\n\r\n', 'a line is folded'],
    ['GET / HTTP/1.1\r\n Host: evil.example\r\nHost: pypi.org\r\n\r\n', 'the first field begins by a blank'],
    ['GET / HTTP/1.1\r\nHost : evil.example\r\nHost: pypi.org\r\n\r\n', 'a blank stands before the colon'],
    ['GET / HTTP/1.1\r\nHost\r\nHost: pypi.org\r\n\r\n', 'a field has no colon'],
    ['GET / HTTP/1.1\r\n: a\r\nHost: pypi.org\r\n\r\n', 'a field has no name'],
    ['GET / HTTP/1.1\r\nHo\xf6st: a\r\nHost: pypi.org\r\n\r\n', 'a field has an odd name'],
    ['GET https://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target is of another scheme'],
    ['GET pypi.org HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target is no path'],
    ['GET http://pypi.org/#a HTTP/1.1\r\nHost: pypi.org\r\n\r\n', 'its target has a fragment'],
    [`GET /${'a'.repeat(8_192)} HTTP/1.1\r\nHost: pypi.org\r\n\r\n`, 'its line is too long'],
    ['A'.repeat(8_193), 'its line has no end'],
    [`GET / HTTP/1.1\r\nX: ${'a'.repeat(65_536)}\r\nHost: pypi.org\r\n\r\n`, 'its head is too long'],
    [`GET / HTTP/1.1\r\nX: ${'a'.repeat(65_536)}`, 'its head has no end'],
  ])('refuses %j because %s', (text) => {
    expect(read(text)).toEqual({ state: 'malformed' });
  });

  it('asks for more at every byte of a head, and for none after it', () => {
    const head = 'GET http://pypi.org:80/ HTTP/1.1\r\nX: a\r\nHost: pypi.org\r\n\r\n';
    for (let length = 1; length < head.length; length++) expect([length, read(head.slice(0, length))]).toEqual([length, { state: 'more' }]);
    expect(read(head)).toEqual(found('pypi.org'));
  });
});

/** The first bytes that real programs send. */
describe('readRequestHost, of a request by', () => {
  const server = createServer();
  let port = 0;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  const byProgram = (command: string, ...args: string[]): unknown => spawn(command, args, { stdio: 'ignore' });

  it.each([
    [
      'Node',
      () =>
        request({ host: '127.0.0.1', port, headers: { host: 'pypi.org' } })
          .on('error', () => undefined)
          .end(),
    ],
    ['fetch', () => fetch(`http://localhost:${port}/`).catch(() => undefined), 'localhost'],
    ['curl', () => byProgram('curl', '-s', '--noproxy', '*', '--connect-to', `pypi.org:80:127.0.0.1:${port}`, 'http://pypi.org/')],
    [
      'curl of HTTP/1.0',
      () => byProgram('curl', '-s0', '--noproxy', '*', '--connect-to', `pypi.org:80:127.0.0.1:${port}`, 'http://pypi.org/'),
    ],
    [
      'curl that sends a form',
      () => byProgram('curl', '-s', '-F', 'a=b', '--noproxy', '*', '--connect-to', `pypi.org:80:127.0.0.1:${port}`, 'http://pypi.org/'),
    ],
    [
      'curl that takes it for a proxy',
      () => byProgram('curl', '-s', '--noproxy', '', '-x', `http://127.0.0.1:${port}`, 'http://pypi.org/'),
    ],
  ])('%s, finds the host', async (_program, send, name = 'pypi.org') => {
    const connection = once(server, 'connection') as Promise<[Socket]>;
    send();
    const [socket] = await connection;
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk));
    do await once(socket, 'data');
    while (readRequestHost(Buffer.concat(chunks)).state === 'more');
    socket.destroy();
    expect(readRequestHost(Buffer.concat(chunks))).toMatchObject({ state: 'found', name });
  });
});
