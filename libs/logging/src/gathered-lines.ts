import { destination, type DestinationStream } from 'pino';

/** How long a line waits for others, so that one write takes them all. */
const GATHER_MS = 10;
/** So many bytes do not wait. The library writes twice as many at a time at most. */
const GATHER_BYTES = 8 * 1024;

/**
 * Writes lines to a descriptor, those of a moment in one write. A service under load logs hundreds
 * of lines a second, and each write of its own would cost as much as the line. When the process
 * exits, what is left is written. A process that is killed loses the lines of the last moment.
 */
export function gatherLines(descriptor: number): DestinationStream {
  const stream = destination({ dest: descriptor, minLength: GATHER_BYTES });
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    stream.flush();
  };
  return {
    write(line) {
      stream.write(line);
      timer ??= setTimeout(flush, GATHER_MS);
    },
  };
}
