import type { OnApplicationShutdown } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Config } from '@sandbox/config';
import { RedisConnection } from '@sandbox/redis';
import type { Redis } from 'ioredis';
import { toRecord, type ThrottlerRecord } from './throttler-record';

// A key without an expiry would shut its user out for ever, so the script gives it one.
const COUNT = `
local hits = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {hits, left}`;

type CountingClient = Redis & { countRequest(key: string, windowMs: number): Promise<unknown> };

/**
 * Counts requests over all replicas, in one round trip. If Redis is away, the request fails with
 * STORE_UNAVAILABLE. The session store is in the same Redis, so letting the request pass would gain
 * nothing.
 */
export class RedisRateLimitStorage implements ThrottlerStorage, OnApplicationShutdown {
  private readonly connection: RedisConnection;
  private readonly prefix: string;

  constructor(config: Config) {
    this.connection = new RedisConnection(config);
    this.connection.client.defineCommand('countRequest', { numberOfKeys: 1, lua: COUNT });
    this.prefix = `sandbox:{${config.DEPLOYMENT}}:rate:`;
  }

  async increment(key: string, ttl: number, limit: number): Promise<ThrottlerRecord> {
    const reply = await this.connection.runCommand((client) => (client as CountingClient).countRequest(this.prefix + key, ttl));
    const [hits, remainingMs] = reply as [number, number];
    return toRecord({ hits, remainingMs }, limit);
  }

  onApplicationShutdown(): void {
    this.connection.disconnect();
  }
}
