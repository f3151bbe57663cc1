import { StringDecoder } from 'node:string_decoder';

/**
 * Turns a stream's bytes into text as they come: a character that two chunks share comes whole, with the second; bytes that are no UTF-8
 * become U+FFFD. As base64, each chunk stands alone.
 */
export class OutputText {
  private readonly decoder: StringDecoder | null;

  constructor(encoding: 'utf8' | 'base64') {
    this.decoder = encoding === 'utf8' ? new StringDecoder('utf8') : null;
  }

  /** '' where the chunk holds no more than the beginning of a character. */
  add(chunk: Buffer): string {
    return this.decoder === null ? chunk.toString('base64') : this.decoder.write(chunk);
  }

  /** What is left of a character that was never ended. */
  end(): string {
    return this.decoder?.end() ?? '';
  }
}
