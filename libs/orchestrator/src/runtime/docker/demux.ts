/**
 * A frame of Docker's multiplexed stream begins with this header: one byte of type, three zero
 * bytes, and the payload's length as a big-endian 32-bit number (Docker Engine API, "Attach to a
 * container").
 */
const HEADER_BYTES = 8;
const STDOUT = 1;
const STDERR = 2;

export interface DemuxSinks {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
}

export interface Demultiplexer {
  /**
   * Takes the next bytes. It hands payloads on at once, so it never keeps more than a header.
   * @throws Error on a malformed header
   */
  write(chunk: Buffer): void;
  /** @throws Error if the stream ends inside a frame */
  end(): void;
}

/**
 * Splits the stream of an exec without a terminal into its stdout and stderr. The chunks that it
 * hands on are views of the chunk that was written.
 */
export function createDemultiplexer(sinks: DemuxSinks): Demultiplexer {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerLength = 0;
  let payloadLeft = 0;

  function takeHeader(chunk: Buffer, from: number): number {
    const taken = chunk.copy(header, headerLength, from, from + HEADER_BYTES - headerLength);
    headerLength += taken;
    if (headerLength === HEADER_BYTES) {
      if ((header[0] !== STDOUT && header[0] !== STDERR) || header.readUIntBE(1, 3) !== 0)
        throw new Error('malformed frame header in an exec stream');
      payloadLeft = header.readUInt32BE(4);
      if (payloadLeft === 0) headerLength = 0;
    }
    return taken;
  }

  function takePayload(chunk: Buffer, from: number): number {
    const payload = chunk.subarray(from, from + payloadLeft);
    payloadLeft -= payload.length;
    if (payloadLeft === 0) headerLength = 0;
    if (header[0] === STDOUT) sinks.stdout(payload);
    else sinks.stderr(payload);
    return payload.length;
  }

  return {
    write(chunk) {
      for (let at = 0; at < chunk.length;) {
        at += headerLength < HEADER_BYTES ? takeHeader(chunk, at) : takePayload(chunk, at);
      }
    },
    end() {
      if (headerLength > 0) throw new Error('exec stream ended inside a frame');
    },
  };
}
