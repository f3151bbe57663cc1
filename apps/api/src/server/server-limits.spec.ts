import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { limitServer } from './server-limits';

describe('limitServer', () => {
  let server: Server;
  let inside: Socket;

  beforeEach(async () => {
    server = createServer();
    limitServer(server, { WORKSPACE_MAX_FILE_SIZE_BYTES: 1024 * 1024, ARCHIVE_MAX_BYTES: 1, MAX_EXEC_TIMEOUT_SECONDS: 120 });
    server.on('connection', (socket) => (inside = socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** As Node does when a request has not come whole in time. */
  const timeOut = (): boolean =>
    server.emit('clientError', Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), inside);
  const open = (): Socket => connect((server.address() as AddressInfo).port, '127.0.0.1');

  it('answers 408 when a request does not come whole', async () => {
    const client = open();
    server.once('request', timeOut);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
    expect((await buffer(client)).toString()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[^]*"code":"REQUEST_TIMEOUT"/);
  });

  it('writes nothing into an answer when it has begun', async () => {
    const client = open();
    server.once('request', (_request, response) => {
      response.write('begun');
      timeOut();
    });
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
    expect((await buffer(client)).toString()).not.toContain('408');
  });

  it.each([
    [1024, 1, 60_000],
    [16 * 1024 ** 2, 1, 131_072],
    [1024 ** 4, 1, 300_000],
    [0, 1, 300_000],
    [1024, 16 * 1024 ** 2, 131_072],
    [1024, 256 * 1024 ** 2, 300_000],
  ])('gives a request its time when files have up to %i bytes, archives up to %i: %i ms', (maxBytes, maxArchive, timeout) => {
    limitServer(server, { WORKSPACE_MAX_FILE_SIZE_BYTES: maxBytes, ARCHIVE_MAX_BYTES: maxArchive, MAX_EXEC_TIMEOUT_SECONDS: 120 });
    expect(server.requestTimeout).toBe(timeout);
    expect(server.headersTimeout).toBe(15_000);
    expect(server.timeout).toBe(240_000);
  });
});
