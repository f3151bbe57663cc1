export { REDIS_DEADLINE_MS, RedisConnection } from './redis-connection';
