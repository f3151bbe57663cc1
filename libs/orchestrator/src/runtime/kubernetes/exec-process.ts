import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { isObject } from '@sandbox/text';
import { WebSocket } from 'ws';
import type { SandboxProcess } from '../../channel/sandbox-process';
import { type ApiServer, refusal } from './api-server';

/**
 * How the streams of an exec share one WebSocket: the first byte of each message is a channel's
 * number. v5 can also close a channel, so a process can have the end of its input while its output
 * goes on. The first one that the server knows is taken.
 */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
/** With v5: closes the channel whose number follows. */
const CLOSE = 255;

/** Servers take messages of up to 32 MiB, but the bytes of one pass the servers as a whole. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** A message of a server has at most 32 KiB. This is room for its status. */
const MAX_RECEIVED_BYTES = 8 * 1024 * 1024;
const STDERR_BYTES = 2048;
/** The peer answers a ping before the next one, or the connection is given up. */
const PING_MS = 20_000;

/**
 * Starts a process in a container, and gives its streams. It ends when the WebSocket does, as the
 * bytes of Docker's exec do with their connection.
 *
 * With v4 nothing can tell a process that its input has ended but the end of the connection. So
 * ending the stream then does nothing, and only destroying it does.
 * @param path of the pod's subresource `exec`
 * @throws KubernetesError if the server refuses, and errors of the connection
 */
export async function execProcess(
  server: ApiServer,
  path: string,
  container: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<SandboxProcess> {
  const { access } = server;
  const url = new URL(`${access.server.pathname.replace(/\/$/, '')}${path}`, access.server);
  url.protocol = url.protocol.replace('http', 'ws');
  for (const word of argv) url.searchParams.append('command', word);
  for (const [name, value] of Object.entries({ container, stdin: 'true', stdout: 'true', stderr: 'true' }))
    url.searchParams.set(name, value);
  signal.throwIfAborted();
  const socket = new WebSocket(url, PROTOCOLS, {
    ...server.tls,
    headers: await access.headers(),
    perMessageDeflate: false,
    maxPayload: MAX_RECEIVED_BYTES,
    skipUTF8Validation: true,
  });
  // What the process writes at once comes before the caller has its stream.
  const process = processOf(socket);
  await server.calls.measured({ verb: 'connect', resource: 'pods/exec' }, () => opened(socket, signal));
  return process;
}

async function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      socket.terminate();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('open', () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(0, 64 * 1024)));
      response.on('close', () => {
        reject(refusal(response, text));
        socket.terminate();
      });
    });
  });
}

function processOf(socket: WebSocket): SandboxProcess {
  let stderr: Buffer = Buffer.alloc(0);
  let exitCode: number | null = null;
  const stream = new Duplex({
    read: () => {
      if (socket.readyState === WebSocket.OPEN) socket.resume();
    },
    write: (chunk: Buffer, _encoding, done) => sendAll(socket, chunk, done),
    // A frame is written in two pieces. Each message costs three programs work on its way, so they
    // are one.
    writev: (pieces, done) => sendAll(socket, Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), done),
    final: (done) => {
      if (socket.protocol === PROTOCOLS[0] && socket.readyState === WebSocket.OPEN) socket.send(Buffer.from([CLOSE, STDIN]), () => done());
      else done();
    },
    destroy: (error, done) => {
      // A close would wait for the server's, behind what the process has still to write.
      socket.terminate();
      done(error);
    },
  });
  // The stream may break before its owner listens. The owner also learns it from `close` and
  // `ended`.
  stream.on('error', () => undefined);

  const receive = (message: Buffer): void => {
    const bytes = message.subarray(1);
    if (message[0] === STDOUT) {
      if (bytes.length > 0 && !stream.push(bytes)) socket.pause();
    } else if (message[0] === STDERR) {
      stderr = Buffer.concat([stderr, bytes.subarray(-STDERR_BYTES)]).subarray(-STDERR_BYTES);
    } else if (message[0] === STATUS) {
      const status = statusOfExec(bytes);
      ({ exitCode } = status);
      // A program that cannot be started is told of here, and not on stderr.
      if (stderr.length === 0) stderr = Buffer.from(status.failure).subarray(-STDERR_BYTES);
    } else if (message[0] !== CLOSE) {
      stream.destroy(new Error('a message of an unknown channel in an exec'));
    }
  };
  socket.on('message', (message, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(message) || message.length === 0) stream.destroy(new Error('a malformed message in an exec'));
    else receive(message);
  });
  socket.on('error', (error) => stream.destroy(error));
  const ping = pinging(socket);
  const ended = new Promise<Awaited<SandboxProcess['ended']>>((resolve) => {
    socket.once('close', (code) => {
      clearInterval(ping);
      // 1000 is the server's close after the process has ended.
      if (code === 1000 || exitCode !== null) {
        stream.push(null);
        stream.end();
      } else stream.destroy();
      resolve({ exitCode, stderr: stderr.toString('utf8') });
    });
  });
  return { stream, ended };
}

/** Sends in messages of a bounded size. It is done when the connection has taken the last one. */
function sendAll(socket: WebSocket, chunk: Buffer, done: (error?: Error | null) => void): void {
  if (socket.readyState !== WebSocket.OPEN) return done(new Error('the connection of an exec is closed'));
  for (let at = 0; at < chunk.length; at += MAX_MESSAGE_BYTES) {
    const piece = chunk.subarray(at, at + MAX_MESSAGE_BYTES);
    const isLast = at + MAX_MESSAGE_BYTES >= chunk.length;
    socket.send(Buffer.concat([Buffer.from([STDIN]), piece]), (error) => {
      if (isLast) done(error);
    });
  }
}

/** Gives a connection up whose peer has gone without a word, as a node that is cut off does. */
function pinging(socket: WebSocket): NodeJS.Timeout {
  let answered = true;
  socket.on('pong', () => (answered = true));
  return setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    // A pong cannot come while this side reads nothing.
    if (!answered && !socket.isPaused) return socket.terminate();
    answered = false;
    socket.ping();
  }, PING_MS).unref();
}

/** Reads how a process has ended: a Status of Kubernetes. */
export function statusOfExec(json: Buffer): { exitCode: number | null; failure: string } {
  let status: unknown = null;
  try {
    status = JSON.parse(json.toString('utf8'));
  } catch {
    return { exitCode: null, failure: '' };
  }
  if (!isObject(status)) return { exitCode: null, failure: '' };
  if (status.status === 'Success') return { exitCode: 0, failure: '' };
  const details = isObject(status.details) ? status.details : {};
  const causes: unknown[] = Array.isArray(details.causes) ? details.causes : [];
  const cause = causes.find((each) => isObject(each) && each.reason === 'ExitCode');
  const code = isObject(cause) ? Number(cause.message) : Number.NaN;
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(code)) return { exitCode: code, failure: '' };
  return { exitCode: null, failure: typeof status.message === 'string' ? status.message : '' };
}
