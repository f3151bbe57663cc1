import type { Window } from '@sandbox/counters';

/** The requests of users, counted over all processes that share the store. */
export interface RequestCounts {
  /**
   * Counts a request of a user. A user's window begins with its first request.
   * @param limit how many requests a window may have
   * @param windowMs how long a window lasts. The same for all calls of a store.
   * @param requestId of an Allowance. If the request is over the limit, `beginCall` refuses it,
   *   although this answer is still on its way.
   * @returns how many requests the window has with this one, and how long it still lasts
   */
  countRequest(userId: string, limit: number, windowMs: number, requestId?: string): Promise<Window>;
}

/**
 * A request that is being counted against its user's budget, while work on it has already begun.
 * `beginCall` is the first thing that it may change, and a request over the budget gets no further.
 * So a call waits once for the store, and not twice.
 */
export class Allowance {
  private isSettled = false;

  /**
   * @param requestId what `countRequest` was given
   * @param granted resolves if the request is within the budget. Rejects if it is not, or if that
   *   cannot be known.
   */
  constructor(
    readonly requestId: string,
    readonly granted: Promise<void>,
  ) {
    const settle = (): void => void (this.isSettled = true);
    granted.then(settle, settle);
  }

  /** Whether `granted` is decided. */
  get settled(): boolean {
    return this.isSettled;
  }
}
