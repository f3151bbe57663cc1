import { GrowingBuffer } from '../bytes/growing-buffer';
import { continuationPrefix, incompleteSuffix } from '@sandbox/text';

/**
 * Collects one output stream of a command as the agent sends it: whole, or, where bytes were left out, its first
 * `maxBytes / 2` (rounded down) bytes and then its last ones. Holds at most `maxBytes`, whatever the sandbox sends.
 */
export class OutputCapture {
  private readonly kept: GrowingBuffer;
  private overflow = 0;

  constructor(private readonly maxBytes: number) {
    this.kept = new GrowingBuffer(maxBytes);
  }

  /**
   * @returns what of the chunk comes before the place of the cut, if there is one: behind it, bytes
   * may be missing
   */
  add(chunk: Buffer): Buffer {
    const beginning = chunk.subarray(0, Math.max(0, Math.floor(this.maxBytes / 2) - this.kept.length));
    const fitting = chunk.subarray(0, this.maxBytes - this.kept.length);
    this.overflow += chunk.length - fitting.length;
    this.kept.append(fitting);
    return beginning;
  }

  /** @param omitted bytes the agent left out between beginning and end */
  finish(omitted: number, encoding: 'utf8' | 'base64'): { text: string; truncated: boolean } {
    const bytes = this.kept.take();
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
}

function marker(bytes: number): string {
  return `\n[... ${bytes} bytes omitted ...]\n`;
}
