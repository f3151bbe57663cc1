import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { declaredLength } from './body-headers';

/**
 * Reads a whole body. It listens to events, because an iteration that stops early destroys the
 * connection and the answer with it.
 * @throws SandboxError PAYLOAD_TOO_LARGE, CLIENT_CLOSED_REQUEST
 */
export function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: SandboxError): void => {
      request.off('data', take);
      reject(error);
    };
    const tooLarge = (): void => fail(new SandboxError(ErrorCode.PAYLOAD_TOO_LARGE, `The body may have at most ${limit} bytes.`));
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) tooLarge();
      else chunks.push(chunk);
    };
    if ((declaredLength(request) ?? 0) > limit) return tooLarge();
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    // A body that ends without an 'end' event: an error, an aborted request or a timeout.
    request.once('error', () => undefined);
    request.once('close', () => {
      if (!request.readableEnded) fail(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The body did not come whole.'));
    });
  });
}
