/**
 * One frame of the wire format in agent/PROTOCOL.md: `u32 payload length | u8 type | u32 request id
 * | payload`, big-endian. This file turns bytes into frames and back. What a frame means is decided
 * elsewhere.
 */
export interface Frame {
  readonly type: number;
  readonly id: number;
  /** May be a view of the chunk that it came in. Copy it to keep it for long. */
  readonly payload: Buffer;
}

export const HostFrame = { REQUEST: 1, DATA: 2, EOF: 3, CANCEL: 4, CREDIT: 5, PING: 6, LEASE: 7 } as const;
export const AgentFrame = { HELLO: 16, OUT: 17, ERR: 18, END: 19, CREDIT: 20, PONG: 21 } as const;

/** The frames of streams are the same in both directions, and have ids of their own. */
export const StreamFrame = { OPEN: 64, ACCEPT: 65, DATA: 66, EOF: 67, RESET: 68, CREDIT: 69 } as const;

export const HEADER_BYTES = 9;
export const MAX_HOST_PAYLOAD_BYTES = 1024 * 1024;
export const MAX_AGENT_PAYLOAD_BYTES = 64 * 1024;
/** How much either side may send on a request before the other gives credit. */
export const WINDOW_BYTES = 256 * 1024;
/** The same for a stream. There may be hundreds, each held by a reader that stalls. */
export const STREAM_WINDOW_BYTES = 64 * 1024;
/** The most that the agent may let the host send without credit, once it gives more. */
export const WIDE_STREAM_WINDOW_BYTES = 256 * 1024;
export const MAX_REQUEST_ID = 0xffff_ffff;
/** The id of frames that concern the channel itself. */
export const CHANNEL_ID = 0;

/** Copying fewer bytes costs less than writing one more piece. */
const MIN_UNCOPIED_BYTES = 8 * 1024;
const NO_BYTES = Buffer.alloc(0);

/**
 * Encodes one frame in one buffer, so that it is one write. Text becomes UTF-8. The caller keeps to
 * the limits on payloads.
 */
export function encodeFrame(type: number, id: number, payload: Buffer | string = NO_BYTES): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame[4] = type;
  frame.writeUInt32BE(id, 5);
  if (typeof payload === 'string') frame.write(payload, HEADER_BYTES, 'utf8');
  else payload.copy(frame, HEADER_BYTES);
  return frame;
}

/**
 * Encodes one frame without copying a large payload. The caller writes the pieces one after the
 * other, and does not change the payload any more.
 */
export function framePieces(type: number, id: number, payload: Buffer): Buffer[] {
  if (payload.length < MIN_UNCOPIED_BYTES) return [encodeFrame(type, id, payload)];
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(payload.length, 0);
  header[4] = type;
  header.writeUInt32BE(id, 5);
  return [header, payload];
}

/** Encodes a frame whose payload is one u32, such as CREDIT. */
export function encodeNumber(type: number, id: number, number: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(number, 0);
  return encodeFrame(type, id, payload);
}

/** Returns the number that is the payload of a frame, or null if it is not one u32. */
export function decodeNumber(payload: Buffer): number | null {
  return payload.length === 4 ? payload.readUInt32BE(0) : null;
}

export interface ReadResult {
  readonly frames: readonly Frame[];
  /**
   * Why nothing more can be read from this stream; the frames before it are valid. Null while the
   * bytes make sense.
   */
  readonly violation: string | null;
}

/**
 * Cuts a byte stream, in chunks of any size, into frames. It never throws, whatever it is fed. It
 * holds at most one header and one payload: a length over the limit is refused before memory is set
 * aside. A payload that lies whole in its chunk is not copied. One that is spread over several
 * chunks is copied once.
 */
export class FrameReader {
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  /** The payload that is being received; null between frames and within a header. */
  private payload: Buffer | null = null;
  private payloadBytes = 0;
  private violation: string | null = null;

  constructor(private readonly maxPayloadBytes: number) {}

  push(chunk: Buffer): ReadResult {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length && this.violation === null) {
      at = this.payload === null ? this.readHeader(chunk, at, frames) : this.readPayload(chunk, at, this.payload, frames);
    }
    return { frames, violation: this.violation };
  }

  /** How many bytes are set aside for a frame that is not whole yet. */
  get bufferedBytes(): number {
    return this.headerBytes + (this.payload?.length ?? 0);
  }

  private readHeader(chunk: Buffer, start: number, frames: Frame[]): number {
    const copied = chunk.copy(this.header, this.headerBytes, start, start + HEADER_BYTES - this.headerBytes);
    this.headerBytes += copied;
    const at = start + copied;
    if (this.headerBytes < HEADER_BYTES) return at;

    const length = this.header.readUInt32BE(0);
    if (length > this.maxPayloadBytes) {
      this.violation = `a frame of ${length} bytes, over the limit of ${this.maxPayloadBytes}`;
      return at;
    }
    if (length <= chunk.length - at) {
      this.emit(chunk.subarray(at, at + length), frames);
      return at + length;
    }
    this.payload = Buffer.allocUnsafe(length);
    this.payloadBytes = 0;
    return at;
  }

  private readPayload(chunk: Buffer, start: number, payload: Buffer, frames: Frame[]): number {
    const copied = chunk.copy(payload, this.payloadBytes, start);
    this.payloadBytes += copied;
    if (this.payloadBytes === payload.length) this.emit(payload, frames);
    return start + copied;
  }

  private emit(payload: Buffer, frames: Frame[]): void {
    frames.push({ type: this.header[4]!, id: this.header.readUInt32BE(5), payload });
    this.headerBytes = 0;
    this.payload = null;
  }
}
