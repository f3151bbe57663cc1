import { Duplex } from 'node:stream';
import type { SandboxProcess } from '../../channel/sandbox-process';
import { createDemultiplexer } from './demux';

/** How many of the last bytes of a process's stderr are kept. */
const STDERR_BYTES = 2048;

/**
 * Wraps a hijacked exec connection as a process. Backpressure goes both ways: if nobody reads the
 * stream, the connection is paused, and a write is done when the connection has taken it.
 * @param socket the connection: multiplexed frames from the engine, raw bytes towards it
 * @param exitCode asks the engine for the exit code once the connection has closed; must not reject
 */
export function execProcess(socket: Duplex, exitCode: () => Promise<number | null>): SandboxProcess {
  let stderr: Buffer = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => void socket.resume(),
    // The socket's error event reports a failed write. What the process wrote before can still be
    // read.
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, () => done()),
    final: (done) => void socket.end(() => done()),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // The stream may break before its owner listens. The owner also learns it from `close` and
  // `ended`.
  stream.on('error', () => undefined);

  const demultiplexer = createDemultiplexer({
    stdout: (chunk) => {
      if (!stream.push(chunk)) socket.pause();
    },
    stderr: (chunk) => {
      stderr = Buffer.concat([stderr, chunk.subarray(-STDERR_BYTES)]).subarray(-STDERR_BYTES);
    },
  });
  const destroyOnThrow = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      stream.destroy(error as Error);
    }
  };
  socket.on('data', (chunk: Buffer) => destroyOnThrow(() => demultiplexer.write(chunk)));
  socket.on('end', () =>
    destroyOnThrow(() => {
      demultiplexer.end();
      stream.push(null);
      stream.end();
    }),
  );
  socket.on('error', (error) => stream.destroy(error));

  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      if (!socket.readableEnded) stream.destroy();
      resolve();
    });
  });
  let ended: SandboxProcess['ended'] | undefined;
  return {
    stream,
    get ended() {
      // Asked for only if somebody wants to know, because it costs calls to the engine.
      ended ??= closed.then(async () => ({ exitCode: await exitCode(), stderr: stderr.toString('utf8') }));
      return ended;
    },
  };
}
