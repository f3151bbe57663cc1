import type { Readable } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { WINDOW_BYTES } from './frames';

/** The size of a DATA frame. It is small, so that the inputs of several requests take turns. */
const DATA_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** The next step of an input: bytes for a DATA frame, or the end. */
export type InputStep = { readonly data: Buffer } | 'eof';

export interface InputEvents {
  /** Called when there may be a step to take. */
  ready(): void;
  /** Called when the stream cannot be read to its end. */
  failed(error: unknown): void;
}

/**
 * The input of one request, given out as the agent's credit allows. A stream is read one chunk at a
 * time, no faster than that.
 */
export class RequestInput {
  private credit = WINDOW_BYTES;
  private bytes: Buffer = NO_BYTES;
  private state: 'reading' | 'at-end' | 'done' = 'reading';
  private readonly stream: Readable | null;

  constructor(
    input: Buffer | Readable,
    private readonly events: InputEvents,
  ) {
    if (Buffer.isBuffer(input)) {
      this.stream = null;
      this.bytes = input;
    } else {
      this.stream = input;
    }
  }

  /** Begins to read. Events come from now on. */
  startSending(): void {
    const stream = this.stream;
    if (stream === null || stream.readableEnded) {
      this.onEnd();
    } else if (stream.destroyed) {
      this.onClose();
    } else {
      stream.on('data', this.onData).on('end', this.onEnd).on('error', this.onError).on('close', this.onClose).resume();
    }
  }

  /** Takes credit. Returns false if the agent grants nothing, or more than it can have consumed. */
  grant(bytes: number): boolean {
    if (bytes === 0 || this.credit + bytes > WINDOW_BYTES) return false;
    this.credit += bytes;
    this.events.ready();
    return true;
  }

  /** Returns null while it waits for bytes or credit, and after the end. */
  next(): InputStep | null {
    if (this.bytes.length > 0) {
      const data = this.bytes.subarray(0, Math.min(this.credit, DATA_BYTES));
      if (data.length === 0) return null;
      this.credit -= data.length;
      this.bytes = this.bytes.subarray(data.length);
      if (this.bytes.length === 0) this.stream?.resume();
      return { data };
    }
    if (this.state !== 'at-end') return null;
    this.stopSending();
    return 'eof';
  }

  /** Lets go of the stream and leaves it paused. Its owner drains or destroys it. */
  stopSending(): void {
    if (this.state === 'done') return;
    this.state = 'done';
    this.bytes = NO_BYTES;
    const stream = this.stream;
    if (stream === null) return;
    stream.off('data', this.onData).off('end', this.onEnd).off('error', this.onError).off('close', this.onClose);
    stream.pause();
    // The client behind the stream may still break off. An 'error' event without a listener would
    // end the process.
    stream.on('error', ignore);
  }

  private readonly onData = (chunk: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      this.events.failed(new TypeError('The input of a request has to be a stream of bytes.'));
      return;
    }
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.bytes = this.bytes.length === 0 ? bytes : Buffer.concat([this.bytes, bytes]);
    this.stream?.pause();
    this.events.ready();
  };

  private readonly onEnd = (): void => {
    this.state = 'at-end';
    this.events.ready();
  };

  private readonly onError = (error: unknown): void => this.events.failed(error);

  private readonly onClose = (): void => {
    if (this.state !== 'reading') return;
    this.events.failed(this.stream?.errored ?? new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The input broke off before its end.'));
  };
}

function ignore(): void {}
