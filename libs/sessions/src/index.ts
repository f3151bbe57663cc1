export { createSessionStore } from './create-session-store';
export { RedisConnection } from './redis/redis-connection';
export { sessionRef, userFromApiKey, userFromJwtSubject, type SessionRef, type User } from './session-identity';
export {
  MAX_LISTED,
  SESSION_STORE,
  STORE_DEADLINE_MS,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type SessionRecord,
  type SessionStore,
} from './session-store';
