import type { ThrottlerStorage } from '@nestjs/throttler';
import type { RequestCounts } from '@sandbox/sessions';
import { toRecord, type ThrottlerRecord } from './throttler-record';

/**
 * Counts requests in the session store, so over all replicas. If the store is away, the request
 * fails with STORE_UNAVAILABLE. It could not enter its session either.
 */
export class StoreRateLimitStorage implements ThrottlerStorage {
  constructor(private readonly counts: RequestCounts) {}

  async increment(
    userId: string,
    windowMs: number,
    limit: number,
    _blockMs?: number,
    _throttler?: string,
    requestId?: string,
  ): Promise<ThrottlerRecord> {
    return toRecord(await this.counts.countRequest(userId, limit, windowMs, requestId), limit);
  }
}
