import { ErrorCode, SandboxError } from '@sandbox/errors';

/**
 * Decodes one part of an address's path.
 * @throws SandboxError BAD_REQUEST
 */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The address is not percent-encoded UTF-8.');
  }
}
