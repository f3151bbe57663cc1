import type { Readable } from 'node:stream';

/**
 * Yields the lines of a stream as they come, without their ends. A last line without its end is not
 * yielded.
 * @param maxBytes the longest line
 * @param tooLong makes the error for a longer one
 */
export async function* linesOf(stream: Readable, maxBytes: number, tooLong: () => Error): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = bytes.indexOf('\n'); end !== -1; end = bytes.indexOf('\n', begin)) {
      if (end - begin > maxBytes) throw tooLong();
      yield bytes.subarray(begin, end);
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
    if (rest.length > maxBytes) throw tooLong();
  }
}
