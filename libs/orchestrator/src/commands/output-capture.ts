import { GrowingBuffer } from '../bytes/growing-buffer';
import { continuationPrefix, incompleteSuffix } from '@sandbox/text';

/**
 * Collects one output stream of a command as the agent sends it. The agent sends it whole. If it
 * has left bytes out, it sends the first `maxBytes / 2` bytes, rounded down, and then the last
 * ones. This holds at most `maxBytes`, whatever the sandbox sends.
 */
export class OutputCapture {
  private readonly kept: GrowingBuffer;
  private overflow = 0;

  constructor(private readonly maxBytes: number) {
    this.kept = new GrowingBuffer(maxBytes);
  }

  /**
   * @returns the part of the chunk that comes before the place of a cut, since bytes may be missing
   * after it
   */
  addChunk(chunk: Buffer): Buffer {
    const beginning = chunk.subarray(0, Math.max(0, Math.floor(this.maxBytes / 2) - this.kept.length));
    const fitting = chunk.subarray(0, this.maxBytes - this.kept.length);
    this.overflow += chunk.length - fitting.length;
    this.kept.append(fitting);
    return beginning;
  }

  /**
   * Returns the stream's text. If bytes were left out, a line in its middle says how many.
   * @param omitted how many bytes the agent has left out
   */
  finishCapture(omitted: number, encoding: 'utf8' | 'base64'): { text: string; truncated: boolean } {
    const bytes = this.kept.takeBytes();
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
