import { Module } from '@nestjs/common';
import { ThrottlerModule, type ThrottlerStorage } from '@nestjs/throttler';
import { CONFIG, type Config } from '@sandbox/config';
import { MemoryRateLimitStorage } from './memory-rate-limit.storage';
import { RedisRateLimitStorage } from './redis-rate-limit.storage';

@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [CONFIG],
      useFactory: (config: Config) => ({
        throttlers: [{ limit: config.RATE_LIMIT_REQUESTS, ttl: config.RATE_LIMIT_WINDOW_SECONDS * 1000 }],
        storage: createStorage(config),
      }),
    }),
  ],
  exports: [ThrottlerModule],
})
export class RateLimitModule {}

function createStorage(config: Config): ThrottlerStorage {
  return config.SESSION_STORE === 'redis'
    ? new RedisRateLimitStorage(config)
    : new MemoryRateLimitStorage(config.RATE_LIMIT_WINDOW_SECONDS);
}
