import type { INestApplication } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '@sandbox/config';

/** Beyond the longest command, for its answer to go out, milliseconds. */
const GRACE_MS = 10_000;
const IDLE_CHECK_MS = 100;
/** For connections to Docker and the store, and a removal under way, milliseconds. */
const CLOSE_MS = 20_000;
const SIGNALS = { SIGTERM: 15, SIGINT: 2 } as const;

export interface StopOptions {
  /** Ends what would not end by itself. */
  onStopping?: () => void;
  exit?: (code: number) => void;
}

/**
 * On the first SIGTERM or SIGINT: takes no more connections, lets the requests under way finish within the longest a command may take, closes
 * what the application holds, and exits. On the second: exits at once.
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
      // Closed only now that nobody uses it any more.
      await withDeadline(app.close(), CLOSE_MS);
      exit(0);
    } catch (error) {
      logger.error({ msg: 'not closed cleanly', err: error });
      exit(1);
    }
  };
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(signal, () => void stop(signal));
}

/** Those that have become a WebSocket's among them, which the server does not close itself, and yet waits for. */
function openSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

/** Refuses new connections, and resolves when the last one is closed, by its client or at the deadline. */
async function drain(server: Server, sockets: ReadonlySet<Socket>, deadlineMs: number): Promise<void> {
  // A connection that has got its answer stays open for the next request: closing the server would wait for it in vain.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const deadline = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, deadlineMs);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(idle);
  clearTimeout(deadline);
}

async function withDeadline(closing: Promise<void>, deadlineMs: number): Promise<void> {
  const late = AbortSignal.timeout(deadlineMs);
  await Promise.race([closing, once(late, 'abort').then(() => Promise.reject(late.reason as Error))]);
}
