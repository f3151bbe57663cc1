export { sessionRef, userFromApiKey, userFromJwtSubject, type SessionRef, type User } from './session-identity';
export {
  MAX_LISTED,
  SESSION_STORE,
  STORE_DEADLINE_MS,
  type BeginResult,
  type CallHold,
  type SessionRecord,
  type SessionStore,
} from './session-store';
