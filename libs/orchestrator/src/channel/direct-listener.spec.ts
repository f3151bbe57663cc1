import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DirectListener, listenDirectly } from './direct-listener';

describe('listenDirectly', () => {
  let directory: string;
  let listener: DirectListener;
  const clients: Socket[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'direct-'));
    listener = await listenDirectly(directory);
  });

  afterEach(async () => {
    listener.close();
    for (const client of clients.splice(0)) client.destroy();
    rmSync(directory, { recursive: true });
  });

  const client = (): Socket => {
    const socket = connect(join(directory, listener.name));
    socket.on('error', () => undefined);
    clients.push(socket);
    return socket;
  };
  const bytesOf = async (socket: Socket): Promise<string> => {
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return text;
  };
  const accepted = async (): Promise<boolean> =>
    Promise.race([listener.connection.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);

  it('accepts a connection when it shows the token, and says so', async () => {
    const agent = client();
    agent.write(listener.token);
    const ours = await listener.connection;
    expect(String((await once(agent, 'data'))[0])).toBe('+');
    ours.end('frames');
    expect(await bytesOf(agent)).toBe('frames');
  });

  it('accepts a token when it comes in single bytes', async () => {
    const agent = client();
    for (const byte of listener.token) {
      agent.write(byte);
      await new Promise(setImmediate);
    }
    await listener.connection;
  });

  it('listens on a socket that every user can reach, and removes it when it is accepted or closed', async () => {
    expect(statSync(join(directory, listener.name)).mode & 0o777).toBe(0o777);
    client().write(listener.token);
    await listener.connection;
    expect(readdirSync(directory)).toEqual([]);
    const other = await listenDirectly(directory);
    expect(readdirSync(directory)).toEqual([other.name]);
    other.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['shows another token', (token: string) => [`${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`]],
    ['sends more than the token at once', (token: string) => [`${token}x`]],
    ['sends more than the token in pieces', (token: string) => ['x', token]],
    ['ends within the token', (token: string) => [token.slice(0, 63)]],
  ])('closes a connection, and accepts the next one, when it %s', async (_what, pieces) => {
    const stranger = client();
    await once(stranger, 'connect');
    for (const piece of pieces(listener.token)) {
      stranger.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    stranger.end();
    expect(await bytesOf(stranger)).toBe('');
    expect(await accepted()).toBe(false);
    client().write(listener.token);
    await listener.connection;
  });

  it('holds at most eight connections that have shown nothing', async () => {
    const silent = Array.from({ length: 8 }, client);
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await bytesOf(client())).toBe('');
    silent[0]!.end();
    await once(silent[0]!.resume(), 'close');
    client().write(listener.token);
    await listener.connection;
  });

  it('closes those that have shown nothing when one is accepted, and when it is closed', async () => {
    const silent = client();
    await once(silent, 'connect');
    client().write(listener.token);
    await listener.connection;
    expect(await bytesOf(silent)).toBe('');
    const agent = client();
    await expect(once(agent, 'connect')).rejects.toThrow('ENOENT');
  });

  it('rejects when the directory is not there', async () => {
    await expect(listenDirectly(join(directory, 'absent'))).rejects.toThrow();
  });
});
