import type { PassThrough } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { drained } from '../bytes/drained';
import { unsound } from '../channel/agent-values';
import { type FileHeader, parseFileHeader } from './workspace-answers';

/** The line before a file's bytes is far shorter than this. */
const MAX_HEADER_BYTES = 4096;

/**
 * Splits a read's answer: first one line of JSON about the file, then its bytes. The bytes go on as
 * fast as the client reads them.
 */
export class HeaderThenBody {
  private pending: Buffer | null = Buffer.alloc(0);
  private left = 0;

  constructor(
    private readonly opened: (file: FileHeader) => void,
    private readonly content: PassThrough,
  ) {}

  async takeChunk(chunk: Buffer): Promise<void> {
    const body = this.pending === null ? chunk : this.takeHeader(Buffer.concat([this.pending, chunk]));
    if (body.length === 0) return;
    this.left -= body.length;
    if (this.left < 0) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than the file has.');
    if (!this.content.write(body)) await drained(this.content);
  }

  finishBody(): void {
    if (this.pending === null && this.left === 0) this.content.end();
    else this.content.destroy(new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent less than the file has.'));
  }

  private takeHeader(bytes: Buffer): Buffer {
    const end = bytes.indexOf(0x0a);
    if (end === -1 && bytes.length > MAX_HEADER_BYTES) throw unsound();
    this.pending = end === -1 ? bytes : null;
    if (end === -1) return Buffer.alloc(0);
    const header = parseFileHeader(bytes.subarray(0, end));
    this.left = header.length;
    this.opened(header);
    return bytes.subarray(end + 1);
  }
}
