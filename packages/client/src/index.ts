export type { CommandEvent, CommandExit, CommandOptions, CommandResult, CommandStart, OutputFormat, RunOptions } from './commands.ts';
export { type CallOptions, Connection, type ConnectionOptions, type RequestOptions } from './connection.ts';
export {
  AuthenticationError,
  CommandNotAllowedError,
  ConflictError,
  ConnectionError,
  type ErrorCode,
  IdempotencyError,
  InvalidArgumentError,
  NotEnoughSpaceError,
  NotFoundError,
  RateLimitError,
  SandboxError,
  SandboxLostError,
} from './errors.ts';
export type {
  Conditions,
  EditResult,
  FileContent,
  FileEntry,
  FileInfo,
  Listing,
  ReadOptions,
  SearchOptions,
  SearchResult,
  TextEdit,
  WatchEvent,
} from './files.ts';
export type { BytesOptions, FollowOptions, Job, JobEvent, JobInfo, JobOptions } from './jobs.ts';
export type { NetworkCheck, NetworkInfo } from './network.ts';
export type { IdempotencyOptions } from './idempotency.ts';
export type { PolicyAnswer } from './policy.ts';
export type { ListeningPort, Preview } from './ports.ts';
export { type Capabilities, Sandbox, type SandboxInfo, type SandboxOptions } from './sandbox.ts';
export type { TerminalOptions } from './terminals.ts';
