import type { PassThrough } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { drained } from '../bytes/drained';
import { LineThenBytes } from '../channel/line-then-bytes';
import { type FileHeader, parseFileHeader } from './workspace-answers';

/**
 * Splits a read's answer: first one line of JSON about the file, then its bytes. The bytes go on as
 * fast as the client reads them.
 */
export class HeaderThenBody {
  private readonly answer: LineThenBytes;
  private left = 0;

  constructor(
    opened: (file: FileHeader) => void,
    private readonly content: PassThrough,
  ) {
    this.answer = new LineThenBytes((line) => {
      const header = parseFileHeader(line);
      this.left = header.length;
      opened(header);
    });
  }

  async takeChunk(chunk: Buffer): Promise<void> {
    const body = this.answer.takeChunk(chunk);
    if (body.length === 0) return;
    this.left -= body.length;
    if (this.left < 0) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than the file has.');
    if (!this.content.write(body)) await drained(this.content);
  }

  finishBody(): void {
    if (this.answer.hasLine && this.left === 0) this.content.end();
    else this.content.destroy(new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent less than the file has.'));
  }
}
