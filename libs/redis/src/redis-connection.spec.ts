import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { loadConfig } from '@sandbox/config';
import { CALL_DEADLINE_MS, PATIENCE_MS, REDIS_DEADLINE_MS, RedisConnection } from './redis-connection';

/**
 * Tests the deadline of a call by a clock that the test moves. The server in place of Redis never
 * answers.
 */

const UNAVAILABLE = expect.objectContaining({ code: 'STORE_UNAVAILABLE', status: 503, retryAfter: 2 });
const never = (): Promise<never> => new Promise(() => undefined);

let connection: RedisConnection;
let server: Server;
const sockets: Socket[] = [];

beforeAll(async () => {
  server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

beforeEach(() => {
  Logger.overrideLogger(false);
  jest.useFakeTimers();
  const REDIS_PORT = String((server.address() as AddressInfo).port);
  connection = new RedisConnection(loadConfig({ SESSION_STORE: 'redis', REDIS_HOST: '127.0.0.1', REDIS_PORT }, { needsAuth: false }));
});
afterEach(() => {
  connection.disconnect();
  jest.useRealTimers();
});

/** @returns a box that holds the outcome of a call, or `pending` */
function watch(call: Promise<unknown>): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  call.then(
    (value) => (watched.outcome = value),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

const connected = (): boolean => connection.client.emit('ready');
const lost = (): boolean => connection.client.emit('close');

describe('RedisConnection', () => {
  it('has deadlines below the promised one of 2 s', () => {
    expect(REDIS_DEADLINE_MS).toBe(2_000);
    expect(CALL_DEADLINE_MS).toBeLessThan(REDIS_DEADLINE_MS);
    expect(PATIENCE_MS).toBeLessThan(CALL_DEADLINE_MS);
  });

  it('gives a call up at its deadline, and not before, when Redis is silent', async () => {
    connected();
    const call = watch(connection.runCommand(never));
    await jest.advanceTimersByTimeAsync(CALL_DEADLINE_MS - 1);
    expect(call.outcome).toBe('pending');
    await jest.advanceTimersByTimeAsync(1);
    expect(call.outcome).toEqual(UNAVAILABLE);
  });

  it('takes an answer when it comes 1 ms before the deadline', async () => {
    connected();
    const late = () => new Promise((resolve) => setTimeout(resolve, CALL_DEADLINE_MS - 1, 'answer'));
    const call = watch(connection.runCommand(late));
    await jest.advanceTimersByTimeAsync(CALL_DEADLINE_MS - 1);
    expect(call.outcome).toBe('answer');
  });

  it('waits for Redis as long as there is time for the call, and then gives it up, when Redis is not there', async () => {
    const operation = jest.fn();
    const call = watch(connection.runCommand(operation));
    await jest.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(call.outcome).toBe('pending');
    await jest.advanceTimersByTimeAsync(1);
    expect(call.outcome).toEqual(UNAVAILABLE);
    expect(operation).not.toHaveBeenCalled();
  });

  it('gives a call up by the deadline when Redis comes back just before it and is silent', async () => {
    const call = watch(connection.runCommand(never));
    await jest.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    connected();
    await jest.advanceTimersByTimeAsync(CALL_DEADLINE_MS - PATIENCE_MS);
    expect(call.outcome).toBe('pending');
    await jest.advanceTimersByTimeAsync(1);
    expect(call.outcome).toEqual(UNAVAILABLE);
  });

  it('runs a call once when the connection comes back within a second', async () => {
    connected();
    lost();
    const operation = jest.fn(async () => 'answer');
    const call = watch(connection.runCommand(operation));
    await jest.advanceTimersByTimeAsync(1_000);
    expect([call.outcome, operation.mock.calls.length]).toEqual(['pending', 0]);
    connected();
    await jest.advanceTimersByTimeAsync(0);
    expect([call.outcome, operation.mock.calls.length]).toEqual(['answer', 1]);
  });

  it('fails a call at once when Redis has been away for a minute', async () => {
    connected();
    lost();
    await jest.advanceTimersByTimeAsync(60_000);
    const call = watch(connection.runCommand(async () => 'answer'));
    await jest.advanceTimersByTimeAsync(0);
    expect(call.outcome).toEqual(UNAVAILABLE);
  });

  it('sends a command again only when the client has not sent it before', async () => {
    connected();
    const unsent = jest.fn().mockRejectedValueOnce(new Error("Stream isn't writeable and enableOfflineQueue is false"));
    const again = watch(connection.runCommand(unsent.mockResolvedValueOnce('answer')));
    await jest.advanceTimersByTimeAsync(0);
    connected();
    await jest.advanceTimersByTimeAsync(0);
    expect([again.outcome, unsent.mock.calls.length]).toEqual(['answer', 2]);
    const sent = jest.fn().mockRejectedValue(new Error('Connection is closed.'));
    const only = watch(connection.runCommand(sent));
    await jest.advanceTimersByTimeAsync(0);
    connected();
    await jest.advanceTimersByTimeAsync(REDIS_DEADLINE_MS);
    expect(only.outcome).toEqual(UNAVAILABLE);
    expect(sent).toHaveBeenCalledTimes(1);
  });

  it('leaves no timer behind when a call is answered', async () => {
    connected();
    const before = jest.getTimerCount();
    expect(await connection.runCommand(async () => 7)).toBe(7);
    expect(jest.getTimerCount()).toBe(before);
  });
});
