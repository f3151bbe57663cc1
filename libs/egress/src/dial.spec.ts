import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { dial } from './dial';

/**
 * Listens on 127.0.0.2 and answers nobody, since its queue is full. It answers once its standard
 * input has a line.
 */
const SILENT = `
import socket, sys
server = socket.socket()
server.bind(('127.0.0.2', int(sys.argv[1])))
server.listen(0)
fillers = [socket.socket() for _ in range(8)]
for filler in fillers:
    filler.setblocking(False)
    filler.connect_ex(server.getsockname())
print('listening', flush=True)
sys.stdin.readline()
while True:
    server.accept()[0].send(b'late')
`;

/** Reads until the other side ends, and leaves the socket open. The consumers of Node close it. */
async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

describe('dial', () => {
  let server: Server;
  let port: number;
  let accepted: Socket[];
  const programs: ChildProcess[] = [];
  const dialTo = (addresses: string[], more = {}): Promise<Socket> => dial({ name: 'a.example', port, addresses, ...more });

  beforeEach(async () => {
    accepted = [];
    server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterEach(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
    for (const program of programs.splice(0)) program.kill('SIGKILL');
  });

  async function listenSilently(): Promise<ChildProcess> {
    const program = spawn('python3', ['-c', SILENT, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
    programs.push(program);
    await once(program.stdout, 'data');
    return program;
  }

  /** How many connections to 127.0.0.2 are begun and not answered (proc(5)). */
  function attemptsAtSilence(): number {
    const remote = `0200007F:${port.toString(16).toUpperCase().padStart(4, '0')} 02`;
    return readFileSync('/proc/net/tcp', 'utf8').split(remote).length - 1;
  }

  it('connects to an address, and each side ends by itself', async () => {
    const socket = await dialTo(['127.0.0.1']);
    expect([socket.remoteAddress, socket.remotePort]).toEqual(['127.0.0.1', port]);
    while (accepted.length === 0) await once(server, 'connection');
    socket.end('question');
    expect(await allOf(accepted[0]!)).toBe('question');
    accepted[0]!.end('answer');
    expect(await allOf(socket)).toBe('answer');
    const other = await dialTo(['127.0.0.1']);
    while (accepted.length === 1) await once(server, 'connection');
    accepted[1]!.end('answer');
    expect(await allOf(other)).toBe('answer');
    other.end('late question');
    expect(await allOf(accepted[1]!)).toBe('late question');
  });

  it('connects to the next address when the first refuses', async () => {
    const socket = await dialTo(['127.0.0.3', '127.0.0.4', '127.0.0.1']);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  it('connects to the next address when the first does not answer', async () => {
    await listenSilently();
    const attempts = attemptsAtSilence();
    const socket = await dialTo(['127.0.0.2', '127.0.0.1']);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(attemptsAtSilence()).toBe(attempts);
    socket.destroy();
  });

  it('tries the next address at once when one refuses', async () => {
    const refusing = Array.from({ length: 60 }, (_, index) => `127.0.1.${index}`);
    const socket = await dialTo([...refusing, '127.0.0.1'], { timeoutMs: 10_000 });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  it('goes on waiting for the first address when it answers late and the others refuse', async () => {
    const program = await listenSilently();
    const dialled = dialTo(['127.0.0.2', '127.0.0.3']);
    await new Promise((done) => setTimeout(done, 600));
    program.stdin!.write('\n');
    const socket = await dialled;
    expect([socket.remoteAddress, await allOf(socket.end())]).toEqual(['127.0.0.2', 'late']);
  });

  it('leaves no other connection when one is made', async () => {
    const socket = await dialTo(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
    while (accepted.length === 0) await once(server, 'connection');
    socket.destroy();
    await once(accepted[0]!.resume(), 'end');
    expect(accepted).toHaveLength(1);
  });

  it('fails in time when no address answers', async () => {
    await listenSilently();
    await expect(dialTo(['127.0.0.2'], { timeoutMs: 300 })).rejects.toMatchObject({ name: 'DialError', failure: 'timed_out' });
  });

  it('fails when the signal ends it, before or during the attempt', async () => {
    await listenSilently();
    await expect(dialTo(['127.0.0.1'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ failure: 'cancelled' });
    const controller = new AbortController();
    const dialled = dialTo(['127.0.0.2'], { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expect(dialled).rejects.toMatchObject({ failure: 'cancelled' });
  });

  it('keeps a connection that was made when the signal comes later', async () => {
    const controller = new AbortController();
    const socket = await dialTo(['127.0.0.1'], { signal: controller.signal });
    controller.abort();
    while (accepted.length === 0) await once(server, 'connection');
    accepted[0]!.end('answer');
    expect(await allOf(socket)).toBe('answer');
    socket.destroy();
  });

  it.each([
    ['all addresses refuse', ['127.0.0.3', '127.0.0.4'], 'refused'],
    ['there are none', [], 'unreachable'],
    ['they are names, which it must not resolve', ['localhost', 'a.example', ''], 'unreachable'],
  ])('fails when %s', async (_when, addresses, failure) => {
    const error: Error = await dialTo(addresses).then(
      () => new Error('connected'),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ name: 'DialError', failure, message: `no connection: ${failure}` });
  });
});
