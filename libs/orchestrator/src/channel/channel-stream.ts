import { Duplex } from 'node:stream';
import { GrowingBuffer } from '../bytes/growing-buffer';
import { decodeNumber, encodeNumber, encodeFrame, framePieces, STREAM_WINDOW_BYTES, StreamFrame, WIDE_STREAM_WINDOW_BYTES } from './frames';
import { formatReset, StreamError, StreamErrorCode } from './stream-error';

/** Credit is given in steps of so many bytes, so that small reads cost no frame each. */
const CREDIT_STEP_BYTES = 16 * 1024;
const DATA_BYTES = 64 * 1024;

/** The parts of a channel that a stream needs. */
export interface StreamPort {
  sendFrame(...pieces: Buffer[]): void;
  /** Asks the channel to call `sendInput` when it has room. */
  wantsToSend(stream: ChannelStream): void;
  /** Tells the channel that neither side has anything more to say. */
  ended(stream: ChannelStream): void;
}

/**
 * One stream over a channel. Each direction has a window of STREAM_WINDOW_BYTES: the sender waits
 * for credit, and the reader gives it as bytes are taken. So a reader that stalls holds at most a
 * window, and stalls its own stream alone. The agent may let the host's window grow, to
 * WIDE_STREAM_WINDOW_BYTES at most.
 *
 * Ending it sends EOF, and what comes can still be read. Destroying it resets the stream. A reset
 * by the other side destroys it with a StreamError.
 */
export class ChannelStream extends Duplex {
  /** Ticks of the channel's clock since a byte has moved. */
  idleTicks = 0;
  private credit = STREAM_WINDOW_BYTES;
  private window = STREAM_WINDOW_BYTES;
  private taken = 0;
  private readonly received = new GrowingBuffer(STREAM_WINDOW_BYTES);
  private wanted = false;
  private hasEof = false;
  private toSend: { bytes: Buffer; done: () => void } | null = null;
  private sentEof = false;
  private isReset = false;

  constructor(
    readonly id: number,
    private readonly port: StreamPort,
  ) {
    super({ allowHalfOpen: true, readableHighWaterMark: DATA_BYTES, writableHighWaterMark: DATA_BYTES });
    // A stream may break off before its owner listens, or after it has let go of it. `close` tells
    // the owner too.
    this.on('error', () => undefined);
  }

  /** Takes DATA. Returns what is wrong with it, or null. */
  receiveData(payload: Buffer): string | null {
    if (payload.length === 0 || payload.length > this.window) return 'data past its window';
    if (this.hasEof) return 'data after the end';
    this.window -= payload.length;
    this.idleTicks = 0;
    if (this.destroyed) return null;
    // A view would keep the whole read alive of which it is a part.
    this.received.append(payload);
    if (this.wanted) this.pushReceived();
    return null;
  }

  receiveEof(): string | null {
    if (this.hasEof) return 'a second end';
    this.hasEof = true;
    if (this.received.length === 0 && !this.destroyed) this.push(null);
    this.endIfDone();
    return null;
  }

  receiveCredit(payload: Buffer): string | null {
    const bytes = decodeNumber(payload);
    if (bytes === null || bytes === 0 || this.credit + bytes > WIDE_STREAM_WINDOW_BYTES) return 'bad credit';
    this.credit += bytes;
    if (this.toSend !== null) this.port.wantsToSend(this);
    return null;
  }

  /** The other side has broken the stream off, or the channel has ended. */
  receiveReset(error: StreamError): void {
    this.isReset = true;
    this.destroy(error);
  }

  /** Sends one frame. Returns true if more may follow at once. */
  sendInput(): boolean {
    if (this.toSend === null || this.destroyed) return false;
    const { bytes, done } = this.toSend;
    const size = Math.min(bytes.length, this.credit, DATA_BYTES);
    if (size === 0) return false;
    this.credit -= size;
    this.idleTicks = 0;
    this.port.sendFrame(...framePieces(StreamFrame.DATA, this.id, bytes.subarray(0, size)));
    if (size < bytes.length) {
      this.toSend = { bytes: bytes.subarray(size), done };
      return this.credit > 0;
    }
    this.toSend = null;
    done();
    return false;
  }

  override _read(): void {
    this.wanted = true;
    if (this.received.length > 0) this.pushReceived();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // Node's HTTP client writes nothing, to send headers that it has sent already.
    if (chunk.length === 0) return done();
    this.toSend = { bytes: chunk, done };
    this.port.wantsToSend(this);
  }

  override _final(done: () => void): void {
    this.sentEof = true;
    this.port.sendFrame(encodeFrame(StreamFrame.EOF, this.id));
    done();
    this.endIfDone();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.isReset && !this.isWhole) {
      const reason = error instanceof StreamError ? error : new StreamError(StreamErrorCode.STREAM_CLOSED, 'The stream was closed.');
      this.port.sendFrame(encodeFrame(StreamFrame.RESET, this.id, formatReset(reason)));
    }
    this.toSend = null;
    this.received.takeBytes();
    done(error);
  }

  /** Whether this side has reset the stream, and the other has not answered yet. */
  get awaitsReset(): boolean {
    return this.destroyed && !this.isReset && !this.isWhole;
  }

  /** Whether both sides have ended the stream. */
  private get isWhole(): boolean {
    return this.sentEof && this.hasEof;
  }

  private pushReceived(): void {
    const bytes = this.received.takeBytes();
    this.wanted = this.push(bytes);
    this.taken += bytes.length;
    if (this.hasEof) this.push(null);
    else if (this.taken >= CREDIT_STEP_BYTES || this.window === 0) this.giveCredit();
  }

  private giveCredit(): void {
    this.port.sendFrame(encodeNumber(StreamFrame.CREDIT, this.id, this.taken));
    this.window += this.taken;
    this.taken = 0;
  }

  private endIfDone(): void {
    if (this.isWhole) this.port.ended(this);
  }
}
