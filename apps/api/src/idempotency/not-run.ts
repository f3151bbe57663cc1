import { ErrorCode } from '@sandbox/errors';

/**
 * The errors of POST /execute, /jobs and /sessions after which nothing has run. The same request
 * may come again with its key. After any other error it may have run, and that error is its answer.
 */
const NOT_RUN: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.VALIDATION_FAILED,
  ErrorCode.COMMAND_NOT_ALLOWED,
  ErrorCode.INVALID_WORKING_DIR,
  ErrorCode.SHELL_NOT_AVAILABLE,
  ErrorCode.SESSION_OPTIONS_DIFFER,
  ErrorCode.TOO_MANY_COMMANDS,
  ErrorCode.TOO_MANY_JOBS,
  ErrorCode.TOO_MANY_SESSIONS,
  ErrorCode.HOST_FULL,
  ErrorCode.DISK_UNAVAILABLE,
  ErrorCode.SANDBOX_IMAGE_UNUSABLE,
  // Both are met on the way into the sandbox. Once a command was sent, the answer needs neither.
  ErrorCode.RUNTIME_UNAVAILABLE,
  ErrorCode.STORE_UNAVAILABLE,
]);

export function hasNotRun(code: ErrorCode): boolean {
  return NOT_RUN.has(code);
}
