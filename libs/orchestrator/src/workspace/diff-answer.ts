import { ErrorCode, SandboxError } from '@sandbox/errors';

/**
 * Reads a diff, which has to be UTF-8.
 * @throws SandboxError SANDBOX_LOST if it is not
 */
export function parseDiff(output: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(output);
  } catch {
    throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave a difference that is not text.');
  }
}
