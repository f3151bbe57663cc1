export { createSessionStore } from './create-session-store';
export { MAX_PORT_GRANTS, type PortGrant, type PortGrants } from './port-grants';
export {
  MAX_ANSWER_BYTES,
  MAX_ANSWERS_BYTES,
  MAX_REQUESTS,
  MIN_REQUEST_AGE_MS,
  REQUEST_LEASE_MS,
  REQUEST_LIFETIME_MS,
  repeatableRequest,
  type GivenKey,
  type KeptAnswer,
  type RepeatableRequest,
  type RequestClaim,
} from './repeatable-requests';
export { Allowance, type RequestCounts } from './request-counts';
export { sessionRef, userFromApiKey, userFromJwtSubject, type SessionRef, type User } from './session-identity';
export {
  formatNetwork,
  formatOptions,
  formatSettings,
  parseNetwork,
  parseOptions,
  parseSettings,
  type SandboxOptions,
  type SessionNetworkRules,
  type SessionOptions,
  type SessionSettings,
} from './session-options';
export {
  COMMAND_LEASE_MS,
  MAX_LISTED,
  MAX_NETWORK_EVENTS,
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
