import { ErrorCode, SandboxError } from '@sandbox/errors';
import { GrowingBuffer } from '../bytes/growing-buffer';

const NEWLINE = 0x0a;

/**
 * Parses the lines of an agent's answer as they come. So the API parses while the agent works on
 * the next lines, and other requests get their turns in between.
 */
export class LineParser<T> {
  /** What the lines say, in their order. */
  readonly parsed: T[] = [];
  private readonly unfinished: GrowingBuffer;
  private size = 0;

  /**
   * @param parse reads one line, which comes without its end; it may throw
   * @param limit the most bytes to take, and the detail of the error past it
   */
  constructor(
    private readonly parse: (line: string) => T,
    private readonly limit: { readonly maxBytes: number; readonly detail: string },
  ) {
    this.unfinished = new GrowingBuffer(limit.maxBytes);
  }

  /**
   * Takes the next bytes, cut anywhere. A last line without its end is never parsed.
   * @throws SandboxError FILE_TOO_LARGE past the limit; what `parse` throws
   */
  push(chunk: Buffer): void {
    this.size += chunk.length;
    if (this.size > this.limit.maxBytes) throw new SandboxError(ErrorCode.FILE_TOO_LARGE, this.limit.detail);
    const end = chunk.lastIndexOf(NEWLINE);
    if (end >= 0) this.parseLines(chunk.subarray(0, end));
    this.unfinished.append(chunk.subarray(end + 1));
  }

  private parseLines(last: Buffer): void {
    this.unfinished.append(last);
    for (const line of this.unfinished.takeBytes().toString('utf8').split('\n')) this.parsed.push(this.parse(line));
  }
}
