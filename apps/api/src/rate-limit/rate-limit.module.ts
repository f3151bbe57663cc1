import { Module } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { StoreRateLimitStorage } from './store-rate-limit.storage';

@Module({
  imports: [
    ThrottlerModule.forRootAsync({
      inject: [CONFIG, SESSION_STORE],
      useFactory: (config: Config, store: SessionStore) => ({
        throttlers: [{ limit: config.RATE_LIMIT_REQUESTS, ttl: config.RATE_LIMIT_WINDOW_SECONDS * 1000 }],
        storage: new StoreRateLimitStorage(store),
      }),
    }),
  ],
  exports: [ThrottlerModule],
})
export class RateLimitModule {}
