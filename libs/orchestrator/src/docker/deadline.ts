import { DeadlineError } from './engine-errors';

/**
 * Runs an operation of one or more engine calls. At the deadline the operation's signal aborts and
 * the promise rejects with DeadlineError, even if a call ignores the signal. After the operation
 * has settled the signal never aborts, since a hijacked connection outlives the call that opened
 * it.
 */
export async function withDeadline<T>(milliseconds: number, operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlineError(`no answer within ${milliseconds} ms`);
      reject(error);
      controller.abort(error);
    }, milliseconds);
  });
  try {
    return await Promise.race([operation(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}
