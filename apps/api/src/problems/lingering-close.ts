import type { IncomingMessage } from 'node:http';

/** How long a client may go on sending after it has its answer. */
const LINGER_MS = 5_000;

/**
 * Reads and drops what a client still sends of a request that is already answered. If the
 * connection is to close after the answer, the server first sends its end and reads on for a while.
 * Closing a connection with unread bytes makes the kernel reset it, and the client may lose the
 * answer (RFC 9112, section 9.6).
 */
export function readToNowhere(request: IncomingMessage): void {
  request.unpipe();
  request.resume();
  if (request.complete) return;
  const { socket } = request;
  // Node calls this after the last answer on a connection.
  socket.destroySoon = () => {
    socket.end();
    const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(late));
  };
}
