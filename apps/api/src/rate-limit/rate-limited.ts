import { ErrorCode, SandboxError } from '@sandbox/errors';

/** What a user is told whose budget is used up. @param retryAfter seconds */
export function rateLimited(limit: number, windowSeconds: number, retryAfter: number): SandboxError {
  return new SandboxError(ErrorCode.RATE_LIMITED, `At most ${limit} requests in ${windowSeconds} seconds.`, { retryAfter });
}
