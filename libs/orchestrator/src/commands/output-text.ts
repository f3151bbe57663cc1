import { incompleteSuffix } from '@sandbox/text';

const NO_BYTES = Buffer.alloc(0);

/**
 * Turns a stream's bytes into text as they come: a character that two chunks share comes whole, with the second; bytes that are no UTF-8
 * become U+FFFD. As base64, each chunk stands alone.
 */
export class OutputText {
  /** The beginning of a character whose rest is still to come. */
  private rest: Buffer = NO_BYTES;

  constructor(private readonly encoding: 'utf8' | 'base64') {}

  /** '' where the chunk holds no more than the beginning of a character. */
  add(chunk: Buffer): string {
    if (this.encoding === 'base64') return chunk.toString('base64');
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const whole = bytes.length - incompleteSuffix(bytes);
    this.rest = whole === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(whole));
    return bytes.toString('utf8', 0, whole);
  }

  /** Bytes taken that no text has come of yet. */
  get pending(): number {
    return this.rest.length;
  }

  /** What is left of a character that was never ended. */
  end(): string {
    const { rest } = this;
    this.rest = NO_BYTES;
    return rest.toString('utf8');
  }
}
