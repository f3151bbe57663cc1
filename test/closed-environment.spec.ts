import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import Docker from 'dockerode';
import Redis from 'ioredis';

/** What the environment of unit tests has refused in this file; what is left makes it fail. */
declare const refusedConnections: Error[];

describe('the environment of unit tests', () => {
  const taken = (): string[] => refusedConnections.splice(0).map(({ message }) => message);

  it('refuses a connection to the Docker engine', async () => {
    await expect(new Docker({ socketPath: '/var/run/docker.sock' }).ping()).rejects.toThrow('a unit test connects to /var/run/docker.sock');
    expect(taken()).toHaveLength(1);
  });

  it('refuses a connection to a Redis server', async () => {
    const redis = new Redis({ lazyConnect: true, retryStrategy: null });
    redis.on('error', () => undefined);
    await expect(redis.connect()).rejects.toThrow();
    expect(taken()).toEqual([expect.stringContaining('a unit test connects to 6379')]);
  });

  it.each([
    ['net.connect(port)', () => connect(2375)],
    ['net.connect(options)', () => connect({ host: 'localhost', port: 2375 })],
    ['http.request', () => request('http://localhost:2375/')],
  ])('refuses what %s asks for', async (_name, open) => {
    const [error] = (await once(
      open().on('error', () => undefined),
      'error',
    )) as [Error];
    expect(error.message).toContain('a unit test connects to 2375');
    expect(taken()).toHaveLength(1);
  });

  it('lets a test reach a server of its own', async () => {
    const server = createServer((socket) => socket.end('here')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [data] = (await once(connect((server.address() as AddressInfo).port, '127.0.0.1'), 'data')) as [Buffer];
    server.close();
    expect(data.toString()).toBe('here');
    expect(taken()).toEqual([]);
  });
});
