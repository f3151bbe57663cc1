import type { Config } from '@sandbox/config';
import { MemorySessionStore } from './memory/memory-session-store';
import { RedisSessionStore } from './redis/redis-session-store';
import type { SessionStore } from './session-store';

/**
 * Creates the store that SESSION_STORE names. A Redis store connects by itself, also if Redis
 * starts later.
 */
export function createSessionStore(config: Config): SessionStore {
  return config.SESSION_STORE === 'redis' ? new RedisSessionStore(config) : new MemorySessionStore(config);
}
