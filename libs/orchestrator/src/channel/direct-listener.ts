import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

const NAME_BYTES = 4;
const TOKEN_BYTES = 32;
/** The length of a token as text. */
const TOKEN_LENGTH = 2 * TOKEN_BYTES;
/** The answer to the right token. */
const ACCEPTED = '+';
/**
 * How many connections may be open that have shown no token. Commands can connect too; a flood of
 * theirs keeps out nobody but their own session's agent, which then uses the exec stream.
 */
const MAX_UNPROVEN = 8;

/**
 * A Unix socket on which this process waits for one agent (agent/PROTOCOL.md, "Direct channel").
 * Every process in that sandbox can reach it. So the agent shows a token that it got by its stdin.
 */
export interface DirectListener {
  /** The socket's name in its directory. */
  readonly name: string;
  /** One-time, 64 hex digits. */
  readonly token: string;
  /**
   * Resolves with the agent's connection once it has shown the token. No other connection is
   * accepted from then on. It never settles if none comes; never rejects.
   */
  readonly connection: Promise<Socket>;
  /** Stops listening, and removes the socket. The accepted connection stays. */
  close(): void;
}

/**
 * Listens on a new socket in a directory.
 * @throws Error if the directory is not there, or takes no socket
 */
export async function listenDirectly(directory: string): Promise<DirectListener> {
  const name = randomBytes(NAME_BYTES).toString('hex');
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  const unproven = new Set<Socket>();
  const server = createServer();
  server.maxConnections = MAX_UNPROVEN;

  const close = (): void => {
    server.close(); // which removes the socket's file
    for (const socket of unproven) socket.destroy();
  };
  const connection = new Promise<Socket>((resolve) => {
    server.on('connection', (socket) => {
      unproven.add(socket);
      // Its owner learns of an error by `close` too.
      socket.on('error', ignore);
      socket.once('close', () => unproven.delete(socket));
      readToken(socket, token, () => {
        unproven.delete(socket);
        close();
        resolve(socket);
      });
    });
  });
  await listening(server, join(directory, name));
  // A listener that fails later only keeps its agent out.
  server.on('error', ignore);
  server.unref();
  return { name, token, connection, close };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The sandbox has another user than this process.
    server.listen({ path, readableAll: true, writableAll: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Reads the token, and nothing more: what follows belongs to the channel, and the agent sends it
 * only after our answer. A connection that shows anything else is destroyed.
 */
function readToken(socket: Socket, token: string, onProof: () => void): void {
  let shown = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    shown = Buffer.concat([shown, chunk.subarray(0, TOKEN_LENGTH)]);
    if (chunk.length < TOKEN_LENGTH && shown.length < TOKEN_LENGTH) return;
    socket.off('data', onData).pause();
    const isRight = chunk.length <= TOKEN_LENGTH && shown.length === TOKEN_LENGTH && timingSafeEqual(shown, Buffer.from(token));
    if (!isRight) return void socket.destroy();
    onProof();
    socket.write(ACCEPTED);
  };
  socket.on('data', onData);
}

function ignore(): void {}
