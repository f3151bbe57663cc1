import type { Config } from '@sandbox/config';
import { MemorySessionStore } from './memory/memory-session-store';
import { RedisSessionStore } from './redis/redis-session-store';
import type { SessionStore } from './session-store';

/** The store that SESSION_STORE names. A Redis one connects by itself, also where Redis is not there yet. */
export function createSessionStore(config: Config): SessionStore {
  return config.SESSION_STORE === 'redis' ? new RedisSessionStore(config) : new MemorySessionStore(config);
}
