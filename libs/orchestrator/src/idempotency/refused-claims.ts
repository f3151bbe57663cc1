import { ErrorCode, SandboxError } from '@sandbox/errors';
import { MAX_ANSWER_BYTES, MAX_REQUESTS, type RequestClaim } from '@sandbox/sessions';

/** A running request may end at any moment, seconds. */
const RUNNING_RETRY_SECONDS = 1;

/**
 * Makes the error for a request that is not carried out, and that no kept answer is there for.
 * @param now milliseconds since the epoch
 */
export function refusalOf(claim: Exclude<RequestClaim, { state: 'claimed' }>, now: number): SandboxError {
  switch (claim.state) {
    case 'differs':
      return new SandboxError(
        ErrorCode.IDEMPOTENCY_KEY_REUSED,
        'Another request came with this Idempotency-Key. Nothing was run; give each request a key of its own.',
      );
    case 'running':
      return new SandboxError(
        ErrorCode.IDEMPOTENCY_RUNNING,
        'The first request with this Idempotency-Key is still running. Send it again for the answer.',
        { retryAfter: RUNNING_RETRY_SECONDS },
      );
    case 'unknown':
      return new SandboxError(
        ErrorCode.IDEMPOTENCY_UNKNOWN,
        'The service was interrupted during the first request with this Idempotency-Key: it may have run, in part or whole, or not. It is not run again. Look at what is there, then use a new key.',
      );
    case 'answered':
      return new SandboxError(
        ErrorCode.IDEMPOTENCY_ANSWER_NOT_KEPT,
        `The request with this Idempotency-Key has run, but its answer is not kept: it was longer than ${MAX_ANSWER_BYTES} bytes, or gave way to newer ones. It is not run again.`,
        { extensions: { answered_status: claim.answer.status } },
      );
    case 'full':
      return new SandboxError(
        ErrorCode.TOO_MANY_IDEMPOTENCY_KEYS,
        `At most ${MAX_REQUESTS} keys are kept of a user within an hour. Nothing was run; wait, or send the request without Idempotency-Key.`,
        { retryAfter: Math.max(1, (claim.until - now) / 1000) },
      );
  }
}
