import type { ThrottlerStorage } from '@nestjs/throttler';
import type { RequestCounts } from '@sandbox/sessions';
import { toRecord, type ThrottlerRecord } from './throttler-record';

/**
 * Counts requests in the session store, so over all replicas. If the store is away, the request
 * fails with STORE_UNAVAILABLE. It could not enter its session either.
 */
export class StoreRateLimitStorage implements ThrottlerStorage {
  constructor(private readonly counts: RequestCounts) {}

  increment(userId: string, windowMs: number, limit: number): Promise<ThrottlerRecord> {
    return this.countRequest(userId, windowMs, limit);
  }

  /** @param requestId that of the request's Allowance, if it has one */
  async countRequest(userId: string, windowMs: number, limit: number, requestId?: string): Promise<ThrottlerRecord> {
    return toRecord(await this.counts.countRequest(userId, limit, windowMs, requestId), limit);
  }
}
