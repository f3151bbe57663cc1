import type { IncomingMessage } from 'node:http';

/** For a client to stop sending once it has its answer, milliseconds. */
const LINGER_MS = 5_000;

/**
 * Reads on, and to nowhere, what a client still sends of a request that is answered already. Where the connection is closed behind the
 * answer, its end is said first and the rest read for a while: to close it over unread bytes makes the kernel reset it, and the answer may be
 * lost with that (RFC 9112, section 9.6).
 */
export function readToNowhere(request: IncomingMessage): void {
  request.unpipe();
  request.resume();
  if (request.complete) return;
  const { socket } = request;
  // What Node calls behind the last answer on a connection.
  socket.destroySoon = () => {
    socket.end();
    const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(late));
  };
}
