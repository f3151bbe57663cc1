import { pipeline, Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';

/**
 * Compresses a stream with gzip, at the lowest cost. A source that begins as gzip does is passed on
 * unchanged. An error of the source ends the result, and destroying the result destroys the source.
 */
export function gzipped(source: Readable): Readable {
  const result = Readable.from(compressed(source), { objectMode: false });
  const destroy = result._destroy.bind(result);
  result._destroy = (error, done) => {
    // The generator would end only after its next bytes, and it may wait for those for ever.
    source.destroy();
    destroy(error, done);
  };
  return result;
}

async function* compressed(source: Readable): AsyncGenerator<Buffer, void> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer> & AsyncIterable<Buffer>;
  let start: Buffer = Buffer.alloc(0);
  while (start.length < 2) {
    const { value, done } = await chunks.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  async function* whole(): AsyncGenerator<Buffer, void> {
    yield start;
    yield* chunks;
  }
  if (start[0] === 0x1f && start[1] === 0x8b) yield* whole();
  else yield* pipeline(whole, createGzip({ level: constants.Z_BEST_SPEED }), () => undefined);
}
