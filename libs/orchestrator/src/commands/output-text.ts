import { incompleteSuffix } from '@sandbox/text';

const NO_BYTES = Buffer.alloc(0);

/**
 * Turns a stream's bytes into text as they come. A character that two chunks share comes whole with
 * the second one. Bytes that are not UTF-8 become U+FFFD. As base64, each chunk stands alone.
 */
export class OutputText {
  /** The beginning of a character whose rest is still to come. */
  private rest: Buffer = NO_BYTES;

  constructor(private readonly encoding: 'utf8' | 'base64') {}

  /** @returns '' if the chunk holds only the beginning of a character */
  addChunk(chunk: Buffer): string {
    if (this.encoding === 'base64') return chunk.toString('base64');
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const whole = bytes.length - incompleteSuffix(bytes);
    this.rest = whole === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(whole));
    return bytes.toString('utf8', 0, whole);
  }

  /** How many bytes were taken that have not become text yet. */
  get pending(): number {
    return this.rest.length;
  }

  /** Returns what is left of a character that has not ended. */
  endText(): string {
    const { rest } = this;
    this.rest = NO_BYTES;
    return rest.toString('utf8');
  }
}
