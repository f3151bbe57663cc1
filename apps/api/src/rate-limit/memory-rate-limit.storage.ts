import type { ThrottlerStorage } from '@nestjs/throttler';
import { FixedWindows } from './fixed-windows';
import { toRecord, type ThrottlerRecord } from './throttler-record';

/** Counts in this process, in constant time and memory a user (the throttler's own storage keeps the time of each request). */
export class MemoryRateLimitStorage implements ThrottlerStorage {
  private readonly windows: FixedWindows;

  constructor(windowSeconds: number) {
    this.windows = new FixedWindows(windowSeconds * 1000);
  }

  async increment(key: string, _ttl: number, limit: number): Promise<ThrottlerRecord> {
    return toRecord(this.windows.hit(key), limit);
  }
}
