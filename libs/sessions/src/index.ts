export { createSessionStore } from './create-session-store';
export { Allowance, type RequestCounts } from './request-counts';
export { sessionRef, userFromApiKey, userFromJwtSubject, type SessionRef, type User } from './session-identity';
export {
  formatOptions,
  formatSettings,
  parseOptions,
  parseSettings,
  type SandboxOptions,
  type SessionOptions,
  type SessionSettings,
} from './session-options';
export {
  COMMAND_LEASE_MS,
  MAX_LISTED,
  SESSION_STORE,
  type AttachedSandbox,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type Limit,
  type SessionRecord,
  type OneTimeTexts,
  type SessionStore,
} from './session-store';
