import { continuationPrefix, incompleteSuffix } from './utf8-boundaries';

/**
 * Collects one output stream of a command as the agent sends it: whole, or, where bytes were left out, its first
 * `maxBytes / 2` (rounded down) bytes and then its last ones. Holds at most `maxBytes`, whatever the sandbox sends.
 */
export class OutputCapture {
  private buffer = Buffer.alloc(0);
  private size = 0;
  private overflow = 0;

  constructor(private readonly maxBytes: number) {}

  /** Copies: a view would keep alive the whole read that it is a part of. */
  add(chunk: Buffer): void {
    const kept = Math.min(chunk.length, this.maxBytes - this.size);
    this.overflow += chunk.length - kept;
    if (this.size + kept > this.buffer.length) this.grow(this.size + kept);
    chunk.copy(this.buffer, this.size, 0, kept);
    this.size += kept;
  }

  /** @param omitted bytes the agent left out between beginning and end */
  finish(omitted: number, encoding: 'utf8' | 'base64'): { text: string; truncated: boolean } {
    const bytes = this.buffer.subarray(0, this.size);
    const left = omitted + this.overflow;
    if (left === 0) return { text: bytes.toString(encoding), truncated: false };
    const cut = Math.min(Math.floor(this.maxBytes / 2), bytes.length);
    const head = bytes.subarray(0, cut);
    const tail = bytes.subarray(cut);
    if (encoding === 'base64') return { text: Buffer.concat([head, Buffer.from(marker(left)), tail]).toString('base64'), truncated: true };
    const wholeHead = head.subarray(0, head.length - incompleteSuffix(head));
    const wholeTail = tail.subarray(continuationPrefix(tail));
    const trimmed = head.length - wholeHead.length + tail.length - wholeTail.length;
    return { text: wholeHead.toString('utf8') + marker(left + trimmed) + wholeTail.toString('utf8'), truncated: true };
  }

  private grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.min(this.maxBytes, Math.max(needed, 2 * this.buffer.length)));
    this.buffer.copy(grown, 0, 0, this.size);
    this.buffer = grown;
  }
}

function marker(bytes: number): string {
  return `\n[... ${bytes} bytes omitted ...]\n`;
}
