import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { RuntimeCall } from '../sandbox-runtime';
import { ApiServer } from './api-server';
import { execProcess, statusOfExec } from './exec-process';
import { endExec } from './testing/fake-cluster';

let server: Server;
let upgrades: WebSocketServer;
/** The protocol that the server knows. */
let knows: string;

beforeEach(async () => {
  knows = 'v4.channel.k8s.io';
  server = createServer((_request, response) => response.writeHead(500).end());
  upgrades = new WebSocketServer({ server, handleProtocols: (offered) => (offered.has(knows) ? knows : false) });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of upgrades.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

async function begun(): Promise<{ process: Awaited<ReturnType<typeof execProcess>>; peer: WebSocket; url: URL; told: RuntimeCall[] }> {
  const { port } = server.address() as AddressInfo;
  const access = {
    server: new URL(`http://127.0.0.1:${port}/base`),
    tls: {},
    namespace: 'boxes',
    headers: async () => ({ Authorization: 'Bearer t' }),
  };
  const connected = once(upgrades, 'connection') as Promise<[WebSocket, { url: string }]>;
  const told: RuntimeCall[] = [];
  const api = new ApiServer(access);
  api.calls.onCall((call) => told.push(call));
  const process = await execProcess(api, '/pods/p/exec', 'sandbox', ['echo', 'a b'], AbortSignal.timeout(20_000));
  const [peer, { url }] = await connected;
  return { process, peer, url: new URL(url, 'http://x'), told };
}
const message = (channel: number, text: string): Buffer => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);

describe('execProcess', () => {
  it('asks for the program in the container, with its arguments as they are', async () => {
    const { url } = await begun();
    expect(url.pathname).toBe('/base/pods/p/exec');
    expect(url.searchParams.getAll('command')).toEqual(['echo', 'a b']);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ container: 'sandbox', stdin: 'true', stdout: 'true', stderr: 'true' });
  });

  it('counts as one request to the API server', async () => {
    const { told } = await begun();
    expect(told).toEqual([{ verb: 'connect', resource: 'pods/exec', status: '2xx', seconds: expect.any(Number) }]);
  });

  it('tells stdout from stderr, keeps the end of stderr, and gives the exit code', async () => {
    const { process, peer } = await begun();
    peer.send(message(1, 'out '));
    peer.send(message(2, `${'x'.repeat(5000)}last`));
    peer.send(message(1, 'put'));
    endExec(peer, 7);
    expect((await buffer(process.stream)).toString()).toBe('out put');
    const { exitCode, stderr } = await process.ended;
    expect([exitCode, stderr.length, stderr.endsWith('last')]).toEqual([7, 2048, true]);
  });

  it('sends large input in messages of at most 1 MiB, in order', async () => {
    const { process, peer } = await begun();
    const got: Buffer[] = [];
    peer.on('message', (bytes: Buffer) => got.push(bytes));
    const input = Buffer.alloc(2_500_000, 'abcdefg');
    await new Promise<void>((resolve, reject) => process.stream.write(input, (error) => (error ? reject(error) : resolve())));
    while (Buffer.concat(got).length < input.length + 3) await sleep(5);
    expect(got.map((each) => [each[0], each.length <= 1024 * 1024 + 1])).toEqual([1, 2, 3].map(() => [0, true]));
    expect(Buffer.concat(got.map((each) => each.subarray(1))).equals(input)).toBe(true);
  });

  it('sends pieces as one message when they are written at once', async () => {
    const { process, peer } = await begun();
    const got: Buffer[] = [];
    peer.on('message', (bytes: Buffer) => got.push(bytes));
    process.stream.cork();
    for (const piece of ['head', 'er and ', 'payload']) process.stream.write(piece);
    process.stream.uncork();
    while (got.length < 1) await sleep(5);
    process.stream.write('next');
    while (got.length < 2) await sleep(5);
    expect(got).toEqual([message(0, 'header and payload'), message(0, 'next')]);
  });

  it('reads no more when nobody reads its output', async () => {
    const { process, peer } = await begun();
    const block = message(1, 'y'.repeat(32 * 1024));
    for (let n = 0; n < 2000; n++) peer.send(block);
    await once(process.stream, 'readable');
    await sleep(500);
    expect(process.stream.readableLength).toBeLessThan(1_000_000);
    expect(peer.bufferedAmount).toBeGreaterThan(1_000_000);
    let total = 0;
    process.stream.on('data', (chunk: Buffer) => (total += chunk.length));
    while (total < 2000 * 32 * 1024) await sleep(10);
  });

  it('closes the input alone when the server knows v5, and nothing with v4', async () => {
    const ofV4 = await begun();
    const seen: Buffer[] = [];
    ofV4.peer.on('message', (bytes: Buffer) => seen.push(bytes));
    ofV4.process.stream.end('in');
    while (seen.length < 1) await sleep(5);
    ofV4.peer.send(message(1, 'still'));
    expect(String((await once(ofV4.process.stream, 'data'))[0])).toBe('still');
    expect(seen).toEqual([message(0, 'in')]);

    knows = 'v5.channel.k8s.io';
    const { process, peer } = await begun();
    const got: Buffer[] = [];
    peer.on('message', (bytes: Buffer) => got.push(bytes));
    process.stream.end('in');
    while (got.length < 2) await sleep(5);
    expect(got).toEqual([message(0, 'in'), Buffer.from([255, 0])]);
  });

  it('ends the connection when its stream is destroyed', async () => {
    const { process, peer } = await begun();
    process.stream.destroy();
    await once(peer, 'close');
    expect(await process.ended).toEqual({ exitCode: null, stderr: '' });
  });

  it('breaks the stream when the connection breaks', async () => {
    const { process, peer } = await begun();
    peer.terminate();
    await expect(buffer(process.stream)).rejects.toThrow();
    expect(await process.ended).toEqual({ exitCode: null, stderr: '' });
  });

  it.each([
    ['text', 'hello'],
    ['nothing', Buffer.alloc(0)],
    ['an unknown channel', message(9, 'x')],
  ])('breaks the stream when the server sends %s', async (_, sent) => {
    const { process, peer } = await begun();
    peer.send(sent);
    await expect(buffer(process.stream)).rejects.toThrow(/message/);
    await process.ended;
  });

  it('throws with the status when the server refuses', async () => {
    upgrades.shouldHandle = () => false;
    await expect(begun()).rejects.toMatchObject({ name: 'KubernetesError', status: 400 });
  });
});

describe('statusOfExec', () => {
  it.each([
    ['{"status":"Success"}', { exitCode: 0, failure: '' }],
    [
      '{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"137"}]}}',
      { exitCode: 137, failure: '' },
    ],
    ['{"status":"Failure","reason":"InternalError","message":"no such program"}', { exitCode: null, failure: 'no such program' }],
    [
      '{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}',
      { exitCode: null, failure: '' },
    ],
    ['[]', { exitCode: null, failure: '' }],
    ['not JSON', { exitCode: null, failure: '' }],
  ])('reads %s', (json, expected) => {
    expect(statusOfExec(Buffer.from(json))).toEqual(expected);
  });
});
