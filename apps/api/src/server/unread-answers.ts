import type { Server } from 'node:http';

/**
 * How long a client has to take a finished answer. A large answer gets longer: one millisecond for
 * MIN_BYTES_PER_MS bytes.
 */
const MIN_TIME_MS = 20_000;
const MIN_BYTES_PER_MS = 256;

/**
 * Closes the connection if the client does not read a finished response in time. The response sits
 * in memory, and its request no longer counts towards any limit.
 */
export function endUnreadAnswers(server: Server): void {
  server.on('request', (_request, response) => {
    response.once('prefinish', () => {
      const { writableLength } = response;
      if (writableLength === 0) return;
      const late = setTimeout(() => response.destroy(), MIN_TIME_MS + writableLength / MIN_BYTES_PER_MS).unref();
      response.once('close', () => clearTimeout(late));
    });
  });
}
