import type { INestApplication } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '@sandbox/config';
import { within } from '@sandbox/errors';

/** How long an answer may take to go out after the longest command has ended. */
const GRACE_MS = 10_000;
const IDLE_CHECK_MS = 100;
/**
 * How long the application may take to close its connections to Docker and the store, and to finish
 * a removal.
 */
const CLOSE_MS = 20_000;
const SIGNALS = { SIGTERM: 15, SIGINT: 2 } as const;

export interface StopOptions {
  /** Called first: it ends connections that would not end by themselves. */
  onStopping?: () => void;
  exit?: (code: number) => void;
}

/**
 * Shuts down on the first SIGTERM or SIGINT: the server takes no more connections, the requests
 * under way may finish within the longest time of a command, the application closes, and the
 * process exits. On the second signal the process exits at once.
 */
export function shutDownOnSignal(
  app: INestApplication,
  config: Pick<Config, 'MAX_EXEC_TIMEOUT_SECONDS'>,
  { onStopping = () => undefined, exit = (code) => process.exit(code) }: StopOptions = {},
): void {
  const logger = new Logger('Shutdown');
  const server = app.getHttpServer() as Server;
  const sockets = openSockets(server);
  let stopping = false;
  const stop = async (signal: keyof typeof SIGNALS): Promise<void> => {
    if (stopping) return exit(128 + SIGNALS[signal]);
    stopping = true;
    logger.log(`${signal}: no more connections are taken; waiting for the requests under way`);
    onStopping();
    try {
      await drain(server, sockets, config.MAX_EXEC_TIMEOUT_SECONDS * 1000 + GRACE_MS);
      // The application closes only now, when no request uses it any more.
      await within(CLOSE_MS, app.close(), () => {
        throw new Error(`not closed within ${CLOSE_MS} ms`);
      });
      exit(0);
    } catch (error) {
      logger.error({ msg: 'not closed cleanly', err: error });
      exit(1);
    }
  };
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(signal, () => void stop(signal));
}

/**
 * Tracks the open sockets, including those of WebSockets. The server waits for WebSockets but does
 * not close them itself.
 */
function openSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/**
 * Refuses new connections. Resolves when the last connection is closed, by its client or at the
 * deadline.
 */
async function drain(server: Server, sockets: ReadonlySet<Socket>, deadlineMs: number): Promise<void> {
  // A connection that has its answer stays open for the next request. Without this, closing the
  // server would wait for it in vain. Node does not count one as idle on which nothing has come.
  const idle = setInterval(() => {
    server.closeIdleConnections();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }, IDLE_CHECK_MS);
  const deadline = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, deadlineMs);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(idle);
  clearTimeout(deadline);
}
