import { WINDOW_BYTES } from './frames';

export type OutputStream = 'stdout' | 'stderr';
export type OutputConsumer = (stream: OutputStream, chunk: Buffer) => void | Promise<void>;

/** Consumed bytes are credited in steps of this size: one CREDIT frame for many small chunks. */
const CREDIT_STEP_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

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
  private readonly pending = { stdout: new JoinedBytes(), stderr: new JoinedBytes() };

  constructor(
    consumer: OutputConsumer | undefined,
    private readonly events: OutputEvents,
  ) {
    this.consumer = consumer;
  }

  /** False where the agent sent more than its credit. */
  take(stream: OutputStream, chunk: Buffer): boolean {
    if (chunk.length > this.window) return false;
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
      result = consumer?.(stream, chunk);
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

class JoinedBytes {
  private bytes = NO_BYTES;
  private length = 0;

  append(chunk: Buffer): void {
    const needed = this.length + chunk.length;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    chunk.copy(this.bytes, this.length);
    this.length = needed;
  }

  take(): Buffer {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = NO_BYTES;
    this.length = 0;
    return taken;
  }
}
