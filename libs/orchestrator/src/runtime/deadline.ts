import { within } from '@sandbox/errors';

/** The engine did not answer in time. */
export class DeadlineError extends Error {}

/**
 * Runs an operation of one or more engine calls. At the deadline the operation's signal aborts and
 * the promise rejects with DeadlineError, even if a call ignores the signal. After the operation
 * has settled the signal never aborts, since a hijacked connection outlives the call that opened
 * it.
 */
export async function withDeadline<T>(milliseconds: number, operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const expired = new DeadlineError(`no answer within ${milliseconds} ms`);
  try {
    return await within(milliseconds, operation(controller.signal), () => {
      throw expired;
    });
  } catch (error) {
    // Not before: the error of a call that heeds the signal would come first.
    if (error === expired) controller.abort(expired);
    throw error;
  }
}
