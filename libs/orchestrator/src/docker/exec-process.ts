import { Duplex } from 'node:stream';
import type { SandboxProcess } from '../sandbox-runtime';
import { createDemultiplexer } from './demux';

/** How much of a process's stderr is kept, bytes; the end of it. */
const STDERR_BYTES = 2048;

/**
 * A process behind a hijacked exec connection. Backpressure goes both ways: an unread stream pauses the connection, a write is
 * done when the connection has taken it.
 * @param socket the connection, in Docker's multiplexed format from the engine and raw towards it
 * @param exitCode asks the engine, once the connection has closed; must not reject
 */
export function execProcess(socket: Duplex, exitCode: () => Promise<number | null>): SandboxProcess {
  let stderr: Buffer = Buffer.alloc(0);
  const stream = new Duplex({
    read: () => void socket.resume(),
    // A failed write is told by the socket's own error event; what the process wrote before it went is still to be read.
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, () => done()),
    final: (done) => void socket.end(() => done()),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // The stream may break before its owner listens; `close` and `ended` tell it as well.
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

  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      if (!socket.readableEnded) stream.destroy();
      resolve();
    });
  }).then(async () => ({ exitCode: await exitCode(), stderr: stderr.toString('utf8') }));
  return { stream, ended };
}
