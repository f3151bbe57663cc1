const NO_BYTES = Buffer.alloc(0);

/**
 * Collects pieces of any size by copying them. A list of pieces would cost more: each piece keeps
 * the whole read alive of which it is a view, and takes a hundred bytes even if it holds one.
 */
export class GrowingBuffer {
  private bytes = NO_BYTES;
  private size = 0;

  /**
   * @param most the most bytes that it will ever hold, if the caller knows; it then reserves no
   *   more
   */
  constructor(private readonly most = Infinity) {}

  get length(): number {
    return this.size;
  }

  append(chunk: Buffer): void {
    const needed = this.size + chunk.length;
    if (needed > this.bytes.length) this.grow(needed);
    chunk.copy(this.bytes, this.size);
    this.size = needed;
  }

  /** Returns what was collected, and starts again empty. */
  takeBytes(): Buffer {
    const taken = this.bytes.subarray(0, this.size);
    this.bytes = NO_BYTES;
    this.size = 0;
    return taken;
  }

  private grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(this.most, 2 * this.bytes.length)));
    this.bytes.copy(grown, 0, 0, this.size);
    this.bytes = grown;
  }
}
