import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { API_KEY, TestApp } from '../../../../test/support/test-app';
import { shutDownOnSignal } from './shutdown';

describe('shutDownOnSignal', () => {
  let app: TestApp;
  let answer: () => void;
  let asked: Promise<void>;
  const exit = jest.fn();
  const exited = (): Promise<number> => new Promise((resolve) => exit.mockImplementation(resolve));

  beforeEach(async () => {
    exit.mockReset();
    let ask: () => void;
    asked = new Promise((resolve) => (ask = resolve));
    app = await TestApp.start({
      sessions: {
        listSessions: () => {
          ask();
          return new Promise((resolve) => (answer = () => resolve([])));
        },
      },
    });
    shutDownOnSignal(app.app, app.config, { exit });
  });
  afterEach(async () => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal);
    await app.stop().catch(() => undefined);
  });

  it('lets a request finish, takes no new connection, and exits with 0 when SIGTERM comes', async () => {
    const code = exited();
    const { url } = app;
    // A connection that is kept open after its answer.
    const client = connect(app.port, '127.0.0.1');
    client.write(`GET /sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\n\r\n`);
    await asked;
    process.emit('SIGTERM');
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
    expect(exit).not.toHaveBeenCalled();
    answer();
    expect((await buffer(client)).toString()).toMatch(/^HTTP\/1\.1 200 /);
    expect(await code).toBe(0);
  });

  it('closes a connection when it is only kept open', async () => {
    const code = exited();
    await (await app.fetch('/health')).text();
    process.emit('SIGINT');
    expect(await code).toBe(0);
  });

  it('closes a connection when nothing has come on it', async () => {
    const code = exited();
    const client = connect(app.port, '127.0.0.1');
    await once(client, 'connect');
    // The server takes connections in turn, so it has taken that one too.
    await (await app.fetch('/health')).text();
    process.emit('SIGTERM');
    expect(await code).toBe(0);
    client.destroy();
  });

  it('exits at its deadline when a WebSocket stays open', async () => {
    process.removeAllListeners('SIGTERM');
    // The time it waits is ten seconds longer than a command's.
    shutDownOnSignal(app.app, { MAX_EXEC_TIMEOUT_SECONDS: -9.9 }, { exit });
    const code = exited();
    const server = app.app.getHttpServer() as Server;
    server.removeAllListeners('upgrade');
    server.on('upgrade', (_request, socket: Socket) =>
      socket.on('error', () => undefined).write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    );
    const client = connect(app.port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await once(client, 'data');
    process.emit('SIGTERM');
    expect(await code).toBe(0);
    client.destroy();
  });

  it('exits at once when a second signal comes', async () => {
    const request = app.fetch('/sessions');
    await asked;
    process.emit('SIGTERM');
    process.emit('SIGTERM');
    expect(exit).toHaveBeenCalledWith(143);
    const closed = once(app.app.getHttpServer(), 'close');
    answer();
    await request;
    await closed;
  });
});
