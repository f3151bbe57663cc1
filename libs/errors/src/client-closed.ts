import { ErrorCode } from './error-codes';
import { SandboxError } from './sandbox-error';

/** Returns the error of a call whose client has gone away. No client reads it; the log has it. */
export function clientClosed(): SandboxError {
  return new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The client closed the request.');
}
