import { findJsonObject } from './agent-answer';
import { ChannelStream, type StreamPort } from './channel-stream';
import { encodeFrame, type Frame, MAX_REQUEST_ID, StreamFrame } from './frames';
import { formatReset, parseReset, StreamError, StreamErrorCode } from './stream-error';

/** The most streams of a channel at a time, whichever side opened them. */
export const MAX_STREAMS = 256;
const MAX_HEADER_BYTES = 4 * 1024;
/**
 * The frames that may cross the last EOF of one stream: a window's credit in steps, and a RESET.
 */
const STRAYS_OF_ONE = 8;
const MAX_STRAYS = 2_048;
/** An idle limit is kept to within so long. */
const TICK_MS = 1_000;
/** The default of `StreamOptions.idleMs`. */
const IDLE_MS = 300_000;

/** The first frame of a stream: its kind, and what that kind needs. */
export type StreamHeader = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** A stream that the agent wants to open. One of the two has to be called, once. */
export interface StreamOffer {
  readonly header: StreamHeader;
  accept(options?: StreamOptions): ChannelStream;
  refuse(error: StreamError): void;
}

export interface StreamOptions {
  /** The stream is reset with STREAM_IDLE if no byte has moved for so long. Infinity: never. */
  readonly idleMs?: number;
}

interface Entry {
  readonly stream: ChannelStream;
  idleMs: number;
  /** Set until the other side has accepted our stream. */
  opening: { resolve: (facts: Record<string, unknown>) => void; reject: (error: Error) => void } | null;
}

/**
 * The streams of one channel. The host's have even ids, the agent's odd ones.
 *
 * A side that resets a stream keeps its id until the other side has reset it too. So every frame
 * belongs to a stream that is known, and any other frame is a breach.
 */
export class StreamSet implements StreamPort {
  private readonly entries = new Map<number, Entry>();
  /** Runs while streams are open. */
  private clock: NodeJS.Timeout | null = null;
  private lastId = 0;
  /** How many frames may still come for streams that have ended by an EOF of either side. */
  private strays = 0;
  private handler: ((offer: StreamOffer) => void) | null = null;

  constructor(private readonly port: Pick<StreamPort, 'sendFrame' | 'wantsToSend'>) {}

  /** Sets who takes the streams that the agent opens. */
  onOffer(handler: (offer: StreamOffer) => void): void {
    this.handler = handler;
  }

  /**
   * Opens a stream. Resolves once the agent has accepted it.
   * @returns the stream, and what the agent says of it
   * @throws StreamError
   */
  async open(
    header: StreamHeader,
    { idleMs = IDLE_MS }: StreamOptions = {},
  ): Promise<{ stream: ChannelStream; facts: Record<string, unknown> }> {
    const payload = JSON.stringify(header);
    if (Buffer.byteLength(payload) > MAX_HEADER_BYTES) throw new RangeError('The header of the stream is too large.');
    if (this.entries.size >= MAX_STREAMS) throw tooManyStreams();
    const stream = new ChannelStream(this.freeId(), this);
    return new Promise((resolve, reject) => {
      this.add({ stream, idleMs, opening: { resolve: (facts) => resolve({ stream, facts }), reject } });
      this.port.sendFrame(encodeFrame(StreamFrame.OPEN, stream.id, payload));
    });
  }

  /** Takes a frame of a stream. Returns what is wrong with it, or null. */
  receiveFrame(frame: Frame): string | null {
    if (frame.type === StreamFrame.OPEN) return this.receiveOpen(frame);
    const entry = this.entries.get(frame.id);
    if (entry === undefined) return this.receiveStray(frame);
    const { stream } = entry;
    if (frame.type === StreamFrame.RESET) return this.receiveReset(entry, frame.payload);
    if (frame.type === StreamFrame.ACCEPT) return this.receiveAccept(entry, frame.payload);
    if (entry.opening !== null) return 'a frame for a stream that is not accepted';
    switch (frame.type) {
      case StreamFrame.DATA:
        return stream.receiveData(frame.payload);
      case StreamFrame.EOF:
        return frame.payload.length === 0 ? stream.receiveEof() : 'an end with bytes';
      case StreamFrame.CREDIT:
        return stream.receiveCredit(frame.payload);
      default:
        return 'a frame of unknown type';
    }
  }

  /** Ends every stream, because the channel has ended. */
  endAll(detail: string): void {
    for (const entry of [...this.entries.values()]) this.close(entry, new StreamError(StreamErrorCode.SANDBOX_LOST, detail));
  }

  /* What ChannelStream needs. */

  sendFrame(...pieces: Buffer[]): void {
    this.port.sendFrame(...pieces);
  }

  wantsToSend(stream: ChannelStream): void {
    this.port.wantsToSend(stream);
  }

  ended(stream: ChannelStream): void {
    this.entries.delete(stream.id);
    this.strays = Math.min(this.strays + STRAYS_OF_ONE, MAX_STRAYS);
  }

  /**
   * The other side may give credit for the last bytes, or reset the stream, before it has our EOF.
   */
  private receiveStray({ type }: Frame): string | null {
    const mayCross = type === StreamFrame.CREDIT || type === StreamFrame.RESET;
    if (!mayCross || this.strays === 0) return 'a frame for a stream that is not open';
    this.strays -= 1;
    return null;
  }

  private receiveOpen({ id, payload }: Frame): string | null {
    if (id % 2 !== 1 || this.entries.has(id)) return 'a stream with an id that is not free';
    const header = payload.length <= MAX_HEADER_BYTES ? findJsonObject(payload) : null;
    if (header === null || typeof header.kind !== 'string') return 'a malformed OPEN';
    const stream = new ChannelStream(id, this);
    const entry: Entry = { stream, idleMs: IDLE_MS, opening: null };
    const refuse = (error: StreamError): void => {
      stream.destroy(error);
    };
    this.add(entry);
    if (this.entries.size > MAX_STREAMS) {
      refuse(tooManyStreams());
    } else if (this.handler === null) {
      refuse(new StreamError(StreamErrorCode.STREAM_REFUSED, 'Nobody takes streams here.'));
    } else {
      const accept = ({ idleMs = IDLE_MS }: StreamOptions = {}): ChannelStream => {
        entry.idleMs = idleMs;
        this.port.sendFrame(encodeFrame(StreamFrame.ACCEPT, id, '{}'));
        return stream;
      };
      this.handler({ header: header as StreamHeader, accept, refuse });
    }
    return null;
  }

  private receiveAccept(entry: Entry, payload: Buffer): string | null {
    const { opening, stream } = entry;
    if (opening === null) return 'a stream that is accepted twice';
    const facts = findJsonObject(payload);
    if (facts === null) return 'a malformed ACCEPT';
    entry.opening = null;
    if (stream.destroyed) return null;
    opening.resolve(facts);
    return null;
  }

  private receiveReset(entry: Entry, payload: Buffer): string | null {
    const error = parseReset(findJsonObject(payload));
    if (error === null) return 'a malformed RESET';
    // Not for the answer to our own RESET, nor for one that has crossed it.
    if (!entry.stream.awaitsReset) this.port.sendFrame(encodeFrame(StreamFrame.RESET, entry.stream.id, formatReset(error)));
    this.close(entry, error);
    return null;
  }

  private close({ stream, opening }: Entry, error: StreamError): void {
    this.entries.delete(stream.id);
    opening?.reject(error);
    stream.receiveReset(error);
  }

  private add(entry: Entry): void {
    this.entries.set(entry.stream.id, entry);
    this.clock ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  private tick(): void {
    if (this.entries.size === 0) {
      clearInterval(this.clock!);
      this.clock = null;
    }
    for (const { stream, idleMs } of this.entries.values()) {
      stream.idleTicks += 1;
      if (stream.idleTicks * TICK_MS <= idleMs || stream.destroyed) continue;
      stream.destroy(new StreamError(StreamErrorCode.STREAM_IDLE, `Nothing has moved for ${Math.ceil(idleMs / 1000)} s.`));
    }
  }

  private freeId(): number {
    do this.lastId = this.lastId + 2 > MAX_REQUEST_ID ? 2 : this.lastId + 2;
    while (this.entries.has(this.lastId));
    return this.lastId;
  }
}

function tooManyStreams(): StreamError {
  return new StreamError(StreamErrorCode.TOO_MANY_STREAMS, `The session has ${MAX_STREAMS} streams already.`);
}
