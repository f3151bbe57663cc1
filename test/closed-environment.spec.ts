import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import Docker from 'dockerode';
import Redis from 'ioredis';

/** The connections refused in this file. Those that are left at its end make it fail. */
declare const refusedConnections: Error[];

describe('the environment of unit tests', () => {
  const taken = (): string[] => refusedConnections.splice(0).map(({ message }) => message);

  it('refuses a connection when it leads to the Docker engine', async () => {
    await expect(new Docker({ socketPath: '/var/run/docker.sock' }).ping()).rejects.toThrow('a unit test connects to /var/run/docker.sock');
    expect(taken()).toHaveLength(1);
  });

  it('refuses a connection when it leads to a Redis server', async () => {
    const redis = new Redis({ lazyConnect: true, retryStrategy: null });
    redis.on('error', () => undefined);
    await expect(redis.connect()).rejects.toThrow();
    expect(taken()).toEqual([expect.stringContaining('a unit test connects to 6379')]);
  });

  it.each([
    ['net.connect(port)', () => connect(2375)],
    ['net.connect(options)', () => connect({ host: 'localhost', port: 2375 })],
    ['http.request', () => request('http://localhost:2375/')],
  ])('refuses a connection when %s opens it', async (_name, open) => {
    const [error] = (await once(
      open().on('error', () => undefined),
      'error',
    )) as [Error];
    expect(error.message).toContain('a unit test connects to 2375');
    expect(taken()).toHaveLength(1);
  });

  it('allows a connection when the test has started the server', async () => {
    const server = createServer((socket) => socket.end('here')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [data] = (await once(connect((server.address() as AddressInfo).port, '127.0.0.1'), 'data')) as [Buffer];
    server.close();
    expect(data.toString()).toBe('here');
    expect(taken()).toEqual([]);
  });
});
