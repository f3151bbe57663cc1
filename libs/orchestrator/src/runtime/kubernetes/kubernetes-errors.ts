import { ErrorCode, SandboxError } from '@sandbox/errors';
import { isObject } from '@sandbox/text';
import { DeadlineError } from '../deadline';

/** When a caller may try again, in seconds, if the API server does not say. */
const RETRY_AFTER_SECONDS = 2;
const MAX_RETRY_AFTER_SECONDS = 60;

/** The API server refused a request. */
export class KubernetesError extends Error {
  /**
   * @param status of HTTP, such as 409
   * @param reason the API server's word for it, such as `AlreadyExists`; empty if it has none
   * @param message the API server's own text, for the log
   * @param retryAfter seconds; null if it does not say
   */
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = 'KubernetesError';
  }
}

/** Returns the HTTP status of the API server's answer, or null for an error of another kind. */
export function statusOf(error: unknown): number | null {
  return error instanceof KubernetesError ? error.status : null;
}

/**
 * Whether a kubelet has refused an exec because the container does not run. It has no other word
 * for it than its text.
 */
export function hasNoContainer(error: unknown): boolean {
  return statusOf(error) === 500 && /container not found|no running task|not running|in a stopped state/.test((error as Error).message);
}

/**
 * Waits for a call, and returns null if the API server refuses it with one of these statuses. Other
 * errors pass.
 */
export async function nullIf<T>(statuses: readonly number[], call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    const status = statusOf(error);
    if (status === null || !statuses.includes(status)) throw error;
    return null;
  }
}

/**
 * Turns an error that no caller handles into one for clients. The cluster's own words stay in
 * `cause`, since they name nodes and addresses.
 */
export function toSandboxError(error: unknown): SandboxError {
  if (error instanceof SandboxError) return error;
  if (error instanceof KubernetesError) {
    const retryAfter = Math.min(error.retryAfter ?? RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS);
    // The admission of a quota answers 403, as a missing permission does.
    if (error.status === 403 && /exceeded quota|status unknown for quota/.test(error.message))
      return new SandboxError(ErrorCode.HOST_FULL, 'The cluster’s quota for sandboxes is used up.', { cause: error, retryAfter });
    // The API server always gives a reason. A kubelet that starts, or a proxy, does not.
    if (error.status === 429 || error.status >= 500 || error.reason === '') return unavailable(error, retryAfter);
    return new SandboxError(ErrorCode.INTERNAL_ERROR, 'The cluster refused a request.', { cause: error });
  }
  // Errors of sockets, DNS, TLS and HTTP parsing carry a `code`. An error in our own code does not.
  const isTransport = error instanceof DeadlineError || (isObject(error) && 'code' in error);
  if (isTransport) return unavailable(error, RETRY_AFTER_SECONDS);
  return new SandboxError(ErrorCode.INTERNAL_ERROR, 'The cluster refused a request.', { cause: error });
}

function unavailable(cause: unknown, retryAfter: number): SandboxError {
  return new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The cluster does not answer.', { cause, retryAfter });
}

export function sandboxLost(cause?: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox is not running.', { cause });
}

export function notOurs(what: 'lock' | 'pod' | 'volume'): SandboxError {
  return new SandboxError(ErrorCode.INTERNAL_ERROR, `The name of this session's ${what} is taken by one that is not ours.`);
}
