import { unsound } from './agent-values';

const NO_BYTES = Buffer.alloc(0);
/** The line is far shorter than this. */
const MAX_LINE_BYTES = 4096;

/** Splits an answer of the agent that is one line of JSON, and then bytes. Copies none of these. */
export class LineThenBytes {
  /** What has come of the line; null once it is whole. */
  private pending: Buffer | null = NO_BYTES;

  /** @param takeLine takes the line, without its newline */
  constructor(private readonly takeLine: (line: Buffer) => void) {}

  get hasLine(): boolean {
    return this.pending === null;
  }

  /**
   * Takes the next chunk of the answer.
   * @returns the part of it that comes after the line
   * @throws SandboxError SANDBOX_LOST if the line is too long
   */
  takeChunk(chunk: Buffer): Buffer {
    if (this.pending === null) return chunk;
    const bytes = Buffer.concat([this.pending, chunk]);
    const end = bytes.indexOf(0x0a);
    if (end === -1 && bytes.length > MAX_LINE_BYTES) throw unsound();
    this.pending = end === -1 ? bytes : null;
    if (end === -1) return NO_BYTES;
    this.takeLine(bytes.subarray(0, end));
    return bytes.subarray(end + 1);
  }
}
