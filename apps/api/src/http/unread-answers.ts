import type { Server } from 'node:http';

/** A client has so long to take an answer that is whole, milliseconds; longer for a large one, at so many bytes a millisecond. */
const MIN_TIME_MS = 20_000;
const MIN_BYTES_PER_MS = 256;

/**
 * Ends the connection of a client that does not take an answer which is whole: it lies in memory, and no limit counts it any more, as what
 * was asked for is done.
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
