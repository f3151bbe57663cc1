import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Limit } from '@sandbox/sessions';

/** When a caller may try again: commands end soon, sessions end when they expire. */
const COMMANDS_RETRY_AFTER_SECONDS = 1;
const SESSIONS_RETRY_AFTER_SECONDS = 10;

/**
 * Makes the error for a sandbox that finds no place in the queue of sandboxes to make, or whose
 * turn does not come in time.
 */
export function tooManyWaiting(): SandboxError {
  return new SandboxError(ErrorCode.HOST_FULL, 'Too many sandboxes are being made; try again shortly.', { retryAfter: 2 });
}

export function tooManyStarting(): SandboxError {
  return new SandboxError(ErrorCode.HOST_FULL, 'Too many commands wait to be started; try again shortly.', {
    retryAfter: COMMANDS_RETRY_AFTER_SECONDS,
  });
}

export function limitReached({ name, max }: Limit): SandboxError {
  const extensions = { limit: name, max };
  switch (name) {
    case 'MAX_SESSIONS':
      return new SandboxError(ErrorCode.HOST_FULL, `The host has the ${max} sessions it takes.`, {
        retryAfter: SESSIONS_RETRY_AFTER_SECONDS,
      });
    case 'MAX_SESSIONS_PER_USER':
      return new SandboxError(ErrorCode.TOO_MANY_SESSIONS, `You have ${max} sessions already; delete one, or wait until one expires.`, {
        retryAfter: SESSIONS_RETRY_AFTER_SECONDS,
        extensions,
      });
    case 'MAX_CONCURRENT_COMMANDS_PER_SESSION':
      return new SandboxError(ErrorCode.TOO_MANY_COMMANDS, `The session runs ${max} commands already.`, {
        retryAfter: COMMANDS_RETRY_AFTER_SECONDS,
        extensions,
      });
    case 'MAX_CONCURRENT_COMMANDS_PER_USER':
      return new SandboxError(ErrorCode.TOO_MANY_COMMANDS, `You run ${max} commands already, in all your sessions together.`, {
        retryAfter: COMMANDS_RETRY_AFTER_SECONDS,
        extensions,
      });
  }
}
