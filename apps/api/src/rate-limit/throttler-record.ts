import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Window } from '@sandbox/counters';

export type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Writes a window as the throttler takes it. A user over the limit waits for the end of the window
 * and no longer.
 */
export function toRecord({ hits, remainingMs }: Window, limit: number): ThrottlerRecord {
  const seconds = Math.ceil(remainingMs / 1000);
  return { totalHits: hits, timeToExpire: seconds, isBlocked: hits > limit, timeToBlockExpire: seconds };
}
