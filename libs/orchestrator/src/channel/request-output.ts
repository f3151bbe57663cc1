import { GrowingBuffer } from '../bytes/growing-buffer';
import { WINDOW_BYTES } from './frames';

export type OutputStream = 'stdout' | 'stderr';
export type OutputConsumer = (stream: OutputStream, chunk: Buffer) => void | Promise<void>;

/**
 * Credit for consumed bytes is sent in steps of this size. Each CREDIT frame wakes two processes of
 * the agent.
 */
const CREDIT_STEP_BYTES = 128 * 1024;
/** A consumer that has taken so many bytes since the last time has moved on. */
const PROGRESS_BYTES = 64 * 1024;

export interface OutputEvents {
  /** Called when this many bytes were consumed: the agent may send as many more. */
  credit(bytes: number): void;
  /** Called when another PROGRESS_BYTES were consumed: the consumer does not stall. */
  moved(): void;
  /** Called when the consumer threw or its promise rejected. */
  failed(error: unknown): void;
  /** Called when a consumer that was behind has caught up. */
  drained(): void;
}

/**
 * Hands the output of one request to its consumer, in order within each stream. While the
 * consumer's promise is pending, new output is joined into one buffer for each stream. So a slow
 * consumer costs at most twice the window, however small the frames are. It holds back the credit
 * of its own request alone.
 */
export class RequestOutput {
  private window = WINDOW_BYTES;
  private uncredited = 0;
  private sinceMoved = 0;
  private busy = false;
  private consumer: OutputConsumer | undefined;
  private readonly pending = { stdout: new GrowingBuffer(WINDOW_BYTES), stderr: new GrowingBuffer(WINDOW_BYTES) };

  constructor(
    consumer: OutputConsumer | undefined,
    private readonly events: OutputEvents,
  ) {
    this.consumer = consumer;
  }

  /**
   * Takes output. Returns false if the agent sent more than its credit, or an empty frame: those
   * would cost it no credit, and so have no bound.
   */
  takeChunk(stream: OutputStream, chunk: Buffer): boolean {
    if (chunk.length === 0 || chunk.length > this.window) return false;
    this.window -= chunk.length;
    if (this.busy) this.pending[stream].append(chunk);
    else this.deliver(stream, chunk);
    return true;
  }

  /** From now on, drops the output that comes. */
  discard(): void {
    this.consumer = undefined;
    this.busy = false;
    this.deliverPending();
  }

  /** Whether all output so far has been consumed. */
  get idle(): boolean {
    return !this.busy;
  }

  private deliver(stream: OutputStream, chunk: Buffer): void {
    const consumer = this.consumer;
    if (chunk.length === 0) return;
    let result: void | Promise<void>;
    try {
      result = consumer?.(stream, detached(chunk));
    } catch (error) {
      this.events.failed(error);
      return;
    }
    if (result === undefined) {
      this.consumed(chunk.length);
      return;
    }
    this.busy = true;
    Promise.resolve(result).then(
      () => {
        if (this.consumer !== consumer) return;
        this.busy = false;
        this.consumed(chunk.length);
        this.deliverPending();
        if (!this.busy) this.events.drained();
      },
      (error: unknown) => {
        if (this.consumer === consumer) this.events.failed(error);
      },
    );
  }

  private deliverPending(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (!this.busy) this.deliver(stream, this.pending[stream].takeBytes());
    }
  }

  private consumed(bytes: number): void {
    this.sinceMoved += bytes;
    if (this.sinceMoved >= PROGRESS_BYTES) {
      this.sinceMoved = 0;
      this.events.moved();
    }
    this.uncredited += bytes;
    if (this.uncredited < CREDIT_STEP_BYTES) return;
    const credit = this.uncredited;
    this.uncredited = 0;
    this.window += credit;
    this.events.credit(credit);
  }
}

/**
 * Copies a chunk that is a small view of a larger read. Otherwise a frame of one byte would keep 64
 * KiB alive for as long as its consumer holds it.
 */
function detached(chunk: Buffer): Buffer {
  return chunk.length * 4 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk;
}
