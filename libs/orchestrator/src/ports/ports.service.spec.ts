import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadConfig } from '@sandbox/config';
import { createSessionStore, sessionRef, type SessionStore } from '@sandbox/sessions';
import { type Channel, RequestNotSentError } from '../channel/channel';
import { StreamError } from '../channel/stream-error';
import type { SessionConnections } from '../entering/session-connections';
import { PortsService } from './ports.service';

const CONFIG = loadConfig({ SESSION_STORE: 'memory' }, { needsAuth: false });
const ALICE = { id: 'jwt:alice' };
const NONE = { code: 'NOT_FOUND', message: 'There is no such preview (any more).' };

let store: SessionStore;
let ports: PortsService;
const channel = { openStream: jest.fn(), sendRequest: jest.fn() };
const joinSandbox = jest.fn<Promise<unknown>, [{ containerId: string | null }]>();

beforeEach(async () => {
  jest.resetAllMocks();
  store = createSessionStore(CONFIG);
  ports = new PortsService(CONFIG, store, { joinSandbox } as unknown as SessionConnections);
  joinSandbox.mockResolvedValue(channel as unknown as Channel);
  channel.openStream.mockImplementation(async () => ({ stream: new PassThrough(), facts: {} }));
  channel.sendRequest.mockResolvedValue({ truncated: false });
  const ref = sessionRef(CONFIG.DEPLOYMENT, ALICE, 's');
  const begun = await store.beginCall(ref, { callId: 'c', deadline: store.now() }, store.now());
  if (begun.state !== 'live') throw new Error(begun.state);
  await store.attachSandbox(ref.key, begun.record.generation, { containerId: 'c1', startId: 's', origin: 'found', image: 'i' });
});
afterEach(() => ports.onApplicationShutdown());

const refused = (code: string): never => {
  throw new StreamError(code, 'No.');
};

describe('PortsService', () => {
  it('reaches a port by the token that it gave, and by no other', async () => {
    const { token, expiresAt } = await ports.exposePort(ALICE, 's', 80, 60);
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    expect(Math.abs(expiresAt - store.now() - 60_000)).toBeLessThan(10_000);
    await (await ports.openByToken(token, 80)).connect();
    expect(channel.openStream.mock.calls[0]![0]).toEqual({ kind: 'connect', port: 80, address: '127.0.0.1' });
    const other = token.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    for (const wrong of [other, `${token}0`, token.slice(1), ` ${token}`, ''])
      await expect(ports.openByToken(wrong, 80)).rejects.toMatchObject(NONE);
    await expect(ports.openByToken(token, 81)).rejects.toMatchObject(NONE);
    await expect((await ports.openByToken(token, 80)).connect()).resolves.toBeDefined();
  });

  describe('a token for all ports', () => {
    const TOKEN = '0123456789abcdef0123456789abcdef';

    it('reaches each of them, until one is revoked', async () => {
      await ports.exposeAllPorts(ALICE, 's', TOKEN, 60);
      const first = await (await ports.openByToken(TOKEN, 80)).connect();
      const second = await (await ports.openByToken(TOKEN, 8080)).connect();
      expect(channel.openStream.mock.calls.map(([{ port }]) => port as number)).toEqual([80, 8080]);
      await ports.revokePort(ALICE, 's', 81);
      expect([first.destroyed, second.destroyed]).toEqual([true, true]);
      await expect(ports.openByToken(TOKEN, 80)).rejects.toMatchObject(NONE);
    });

    it('is made by the owner of a live session alone', async () => {
      for (const [user, session] of [[{ id: 'jwt:bob' }, 's'] as const, [ALICE, 'never'] as const]) {
        await expect(ports.exposeAllPorts(user, session, TOKEN, 60)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
      }
      await expect(ports.openByToken(TOKEN, 80)).rejects.toMatchObject(NONE);
    });

    it('is prolonged only if it is there and is the user’s', async () => {
      await ports.prolongAllPorts(ALICE, 's', TOKEN, 60);
      await ports.prolongAllPorts(ALICE, 's', 'no token', 60);
      await expect(ports.openByToken(TOKEN, 80)).rejects.toMatchObject(NONE);
      await ports.exposeAllPorts(ALICE, 's', TOKEN, 60);
      await ports.prolongAllPorts({ id: 'jwt:bob' }, 's', TOKEN, 60);
      await ports.prolongAllPorts(ALICE, 's', TOKEN, 120);
      const now = jest.spyOn(store, 'now').mockReturnValue(store.now() + 100_000);
      await expect(ports.openByToken(TOKEN, 80)).resolves.toBeDefined();
      now.mockReturnValue(store.now() + 100_000);
      await expect(ports.openByToken(TOKEN, 8080)).rejects.toMatchObject(NONE);
    });
  });

  it('holds for one user, and only for a session that is there', async () => {
    for (const [user, session] of [
      [{ id: 'jwt:bob' }, 's'],
      [ALICE, 'never'],
    ] as const) {
      await expect(ports.exposePort(user, session, 80, 60)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
      await expect(ports.listPorts(user, session)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
      await expect(ports.openOwn(user, session, 80, null)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    }
    expect(joinSandbox).not.toHaveBeenCalled();
    expect(await store.getSession(sessionRef(CONFIG.DEPLOYMENT, ALICE, 'never').key, store.now())).toBeNull();
  });

  it('is revoked with its connections, but not those by a credential', async () => {
    const { token } = await ports.exposePort(ALICE, 's', 80, 60);
    const preview = await (await ports.openByToken(token, 80)).connect();
    const own = await (await ports.openOwn(ALICE, 's', 80, null)).connect();
    await ports.revokePort({ id: 'jwt:bob' }, 's', 80);
    await ports.revokePort(ALICE, 's', 81);
    expect(preview.destroyed).toBe(false);
    await ports.revokePort(ALICE, 's', 80);
    expect([preview.destroyed, own.destroyed]).toEqual([true, false]);
    await expect(ports.openByToken(token, 80)).rejects.toMatchObject(NONE);
  });

  it('says the same as of an unknown token when the sandbox does not run', async () => {
    const { token } = await ports.exposePort(ALICE, 's', 80, 60);
    joinSandbox.mockResolvedValue(null);
    await expect((await ports.openByToken(token, 80)).connect()).rejects.toMatchObject(NONE);
    await expect((await ports.openOwn(ALICE, 's', 80, null)).connect()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('connects to the other loopback address when the first refuses', async () => {
    channel.openStream.mockImplementationOnce(async () => refused('CONNECTION_REFUSED'));
    await (await ports.openOwn(ALICE, 's', 80, null)).connect();
    expect(channel.openStream.mock.calls.map(([{ address }]) => address as string)).toEqual(['127.0.0.1', '::1']);
  });

  it.each([
    ['CONNECTION_REFUSED', 'PORT_UNREACHABLE', 'Nothing listens on port 80.'],
    ['CONNECTION_TIMED_OUT', 'PORT_UNREACHABLE', 'What listens on port 80 takes no connection.'],
    ['CONNECTION_FAILED', 'PORT_UNREACHABLE', 'The connection to port 80 failed.'],
    ['TOO_MANY_STREAMS', 'TOO_MANY_CONNECTIONS', 'The session has too many connections already.'],
    ['SANDBOX_LOST', 'SANDBOX_LOST', 'The sandbox ended during the call.'],
    ['SANDBOX_EXHAUSTED', 'SANDBOX_EXHAUSTED', 'The sandbox is out of memory or processes.'],
  ])('explains %s as %s', async (reason, code, message) => {
    channel.openStream.mockImplementation(async () => refused(reason));
    await expect((await ports.openOwn(ALICE, 's', 80, null)).connect()).rejects.toMatchObject({ code, message });
    expect(ports.state).toEqual({ open: 0, total: 0 });
  });

  it('tries a new channel once when the first is closed', async () => {
    const closed = async (): Promise<never> => {
      throw new RequestNotSentError('The channel is closed.');
    };
    channel.openStream.mockImplementationOnce(closed);
    await (await ports.openOwn(ALICE, 's', 80, null)).connect();
    expect(joinSandbox).toHaveBeenCalledTimes(2);
    channel.openStream.mockImplementation(closed);
    await expect((await ports.openOwn(ALICE, 's', 80, null)).connect()).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  });

  it('asks the sandbox once when many pages want to know what listens', async () => {
    const { token } = await ports.exposePort(ALICE, 's', 80, 60);
    let answer!: (end: object) => void;
    channel.sendRequest.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const pages = Array.from({ length: 100 }, async () => (await ports.openByToken(token, 80)).listPorts());
    while (channel.sendRequest.mock.calls.length === 0) await nextTurn();
    await nextTurn();
    answer({ truncated: false });
    expect(await Promise.all(pages)).toEqual(pages.map(() => []));
    expect(channel.sendRequest).toHaveBeenCalledTimes(1);
  });
});
