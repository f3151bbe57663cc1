import type { ThrottlerStorage } from '@nestjs/throttler';
import { FixedWindows } from '../counters/fixed-windows';
import { toRecord, type ThrottlerRecord } from './throttler-record';

/**
 * Counts requests in this process, with constant time and memory for each user. The throttler's own
 * storage keeps the time of every request instead.
 */
export class MemoryRateLimitStorage implements ThrottlerStorage {
  private readonly windows: FixedWindows;

  constructor(windowSeconds: number) {
    this.windows = new FixedWindows(windowSeconds * 1000);
  }

  async increment(key: string, _ttl: number, limit: number): Promise<ThrottlerRecord> {
    return toRecord(this.windows.hit(key), limit);
  }
}
