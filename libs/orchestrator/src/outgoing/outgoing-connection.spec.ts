import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { DialError, type EgressDenial } from '@sandbox/egress';
import { OutgoingConnection } from './outgoing-connection';

const HOST = 'server.test';
let server: Server;
let onConnection: (socket: Socket) => void;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => server.close());

/** Reads to the end. Unlike an async iterator, it leaves the other direction open. */
function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) =>
    stream.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', () => resolve(Buffer.concat(chunks))),
  );
}
const textOf = async (stream: Duplex): Promise<string> => (await readAll(stream)).toString();

const dial = async (): Promise<Socket> => {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
};

/** A connection on a port, and the program's end of its stream. */
function opened(port: number) {
  const [stream, program] = duplexPair() as [Duplex, Duplex];
  stream.on('error', () => undefined);
  program.on('error', () => undefined);
  const denied: EgressDenial[] = [];
  const connection = new OutgoingConnection(HOST, port, stream, (denial) => denied.push(denial));
  return { connection, program, stream, denied };
}

describe('An outgoing connection', () => {
  it('carries bytes both ways and half-closes both ways when the first bytes are for the server', async () => {
    onConnection = async (socket) => socket.end(`got ${(await readAll(socket)).toString()}`);
    const { connection, program } = opened(9999);
    const running = connection.run(dial);
    program.end('question');
    expect(await textOf(program)).toBe('got question');
    expect(await running).toEqual({ end: 'closed' });
    expect([connection.bytesOut, connection.bytesIn]).toEqual([8, 12]);
  });

  it('brings what the server says first when the program has said nothing', async () => {
    onConnection = (socket) => socket.end('220 hello\r\n');
    const { connection, program } = opened(25);
    const running = connection.run(dial);
    expect(await textOf(program)).toBe('220 hello\r\n');
    program.end();
    expect(await running).toEqual({ end: 'closed' });
  });

  it('sends megabytes whole when the first bytes come while it still connects', async () => {
    const bytes = Buffer.from(Array.from({ length: 3 << 20 }, (_, at) => at % 251));
    const got = new Promise<Buffer>((resolve) => {
      onConnection = async (socket) => {
        resolve(await readAll(socket));
        socket.end();
      };
    });
    const { connection, program } = opened(9999);
    program.end(bytes);
    const running = connection.run(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return dial();
    });
    program.resume();
    expect((await got).equals(bytes)).toBe(true);
    expect(await running).toEqual({ end: 'closed' });
  });

  it('sends no byte and says why when the first bytes name another server', async () => {
    const came: Buffer[] = [];
    onConnection = (socket) => socket.on('data', (chunk) => came.push(chunk));
    const { connection, program, denied } = opened(80);
    const running = connection.run(dial);
    program.write('GET / HTTP/1.1\r\nHost: other.test\r\n\r\n');
    expect(await running).toEqual({ end: 'denied' });
    expect(denied).toEqual([expect.objectContaining({ host: HOST, port: 80, reason: 'http_host_mismatch' })]);
    expect(Buffer.concat(came)).toHaveLength(0);
  });

  it('sends no byte when the first bytes are cut off', async () => {
    const came: Buffer[] = [];
    onConnection = (socket) => socket.on('data', (chunk) => came.push(chunk));
    const { connection, program, denied } = opened(80);
    const running = connection.run(dial);
    program.end('GET / HTTP/1.1\r\nHost: ser');
    expect(await running).toEqual({ end: 'denied' });
    expect(denied).toHaveLength(1);
    expect(Buffer.concat(came)).toHaveLength(0);
  });

  it('fails, and says why, when the server cannot be reached', async () => {
    const { connection, program } = opened(9999);
    const refused = new DialError('refused');
    expect(await connection.run(() => Promise.reject(refused))).toEqual({
      end: 'failed',
      detail: 'The server could not be reached (refused).',
    });
    expect(program.destroyed || program.readableEnded || connection.bytesIn === 0).toBe(true);
  });

  it('stops connecting when the program gives up', async () => {
    const { connection, stream } = opened(9999);
    const aborted = new Promise<void>((resolve) => {
      void connection.run(
        (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => (resolve(), reject(new Error('aborted'))))),
      );
    });
    stream.destroy();
    await aborted;
  });

  it.each(['revoked', 'byte_limit'] as const)('ends both sides at once when it is cut: %s', async (reason) => {
    const ended = new Promise<void>((resolve) => {
      onConnection = (socket) => {
        socket.write('x');
        socket.on('close', () => resolve());
      };
    });
    const { connection, program, stream } = opened(9999);
    const running = connection.run(dial);
    await once(program, 'data');
    connection.cut(reason);
    expect(await running).toEqual({ end: reason });
    expect(stream.destroyed).toBe(true);
    await ended;
  });

  it('resets the program’s side when the server breaks off, after what it sent', async () => {
    onConnection = (socket) => socket.once('data', () => socket.resetAndDestroy()).write('half');
    const { connection, program, stream } = opened(9999);
    program.once('data', () => program.write('x'));
    expect(await connection.run(dial)).toEqual({ end: 'reset' });
    expect(stream.errored).toMatchObject({ code: 'CONNECTION_FAILED' });
  });
});
