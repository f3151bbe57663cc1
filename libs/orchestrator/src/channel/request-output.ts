import { GrowingBuffer } from '../growing-buffer';
import { WINDOW_BYTES } from './frames';

export type OutputStream = 'stdout' | 'stderr';
export type OutputConsumer = (stream: OutputStream, chunk: Buffer) => void | Promise<void>;

/** Consumed bytes are credited in steps of this size: one CREDIT frame for many small chunks. */
const CREDIT_STEP_BYTES = 64 * 1024;

export interface OutputEvents {
  /** So many bytes were consumed: the agent may send as many more. */
  credit(bytes: number): void;
  /** The consumer threw, or its promise rejected. */
  failed(error: unknown): void;
  /** A consumer that was behind has caught up. */
  drained(): void;
}

/**
 * The output of one request on its way to its consumer, in order within a stream. While the consumer's promise is pending, what arrives is
 * joined into one buffer a stream. So a slow consumer costs at most twice the window, however many tiny frames it comes in, and holds back
 * nobody's credit but its own.
 */
export class RequestOutput {
  private window = WINDOW_BYTES;
  private uncredited = 0;
  private busy = false;
  private consumer: OutputConsumer | undefined;
  private readonly pending = { stdout: new GrowingBuffer(WINDOW_BYTES), stderr: new GrowingBuffer(WINDOW_BYTES) };

  constructor(
    consumer: OutputConsumer | undefined,
    private readonly events: OutputEvents,
  ) {
    this.consumer = consumer;
  }

  /** False where the agent sent more than its credit, or nothing: a frame that costs it no credit would have no bound. */
  take(stream: OutputStream, chunk: Buffer): boolean {
    if (chunk.length === 0 || chunk.length > this.window) return false;
    this.window -= chunk.length;
    if (this.busy) this.pending[stream].append(chunk);
    else this.deliver(stream, chunk);
    return true;
  }

  /** From now on output is taken and dropped. */
  discard(): void {
    this.consumer = undefined;
    this.busy = false;
    this.deliverPending();
  }

  /** True where all that came has been consumed. */
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
      if (!this.busy) this.deliver(stream, this.pending[stream].take());
    }
  }

  private consumed(bytes: number): void {
    this.uncredited += bytes;
    if (this.uncredited < CREDIT_STEP_BYTES) return;
    const credit = this.uncredited;
    this.uncredited = 0;
    this.window += credit;
    this.events.credit(credit);
  }
}

/** A view of a much larger read keeps all of that alive for as long as its consumer has it: a byte in a frame of its own, 64 KiB. */
function detached(chunk: Buffer): Buffer {
  return chunk.length * 4 < chunk.buffer.byteLength ? Buffer.from(chunk) : chunk;
}
