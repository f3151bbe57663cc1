import { ErrorCode, SandboxError } from '@sandbox/errors';

/**
 * Makes the error for a user whose budget is used up.
 * @param retryAfter in seconds
 */
export function rateLimited(limit: number, windowSeconds: number, retryAfter: number): SandboxError {
  return new SandboxError(ErrorCode.RATE_LIMITED, `At most ${limit} requests in ${windowSeconds} seconds.`, { retryAfter });
}
