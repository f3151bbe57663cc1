import { ErrorCode, SandboxError } from '@sandbox/errors';

/**
 * How long entering a session, making its sandbox and opening its channel may take together; also
 * how long its removal may take.
 */
export const ENTER_DEADLINE_MS = 28_000;

/** The error of a call that could not get into its sandbox within ENTER_DEADLINE_MS. */
export function sandboxUnresponsive(cause?: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_UNRESPONSIVE, 'The session’s sandbox could not be entered in time.', { cause, retryAfter: 1 });
}
