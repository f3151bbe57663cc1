import type { PortGrants } from './port-grants';
import type { RepeatableRequests } from './repeatable-requests';
import type { RequestCounts } from './request-counts';
import type { SessionRef } from './session-identity';
import type { SandboxOptions, SessionNetworkRules, SessionOptions, SessionSettings } from './session-options';

/** A live session, as the store knows it. All times are milliseconds since the epoch. */
export interface SessionRecord {
  readonly ref: SessionRef;
  /**
   * A random id, chosen anew each time a session begins. It tells a session from a later one of the
   * same name.
   */
  readonly generation: string;
  /** The session's last known sandbox. Null until the first one is attached. */
  readonly containerId: string | null;
  readonly image: string | null;
  /**
   * The last known start of that sandbox (`AttachedSandbox.startId`). Null until it is known. Also
   * null if an older version wrote the record last, since that one does not note starts.
   */
  readonly startId: string | null;
  /**
   * The sandbox's options. Null while they are unknown: no call gave any, and no sandbox is
   * attached yet.
   */
  readonly options: SandboxOptions | null;
  /** How long the session lives after its last use, in milliseconds. */
  readonly ttlMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Null if the session was given no rules, so that the deployment's hold. */
  readonly network: SessionNetworkRules | null;
  /**
   * The sandbox was replaced or started again, and no call has told the caller so yet
   * (`takeRestarted`).
   */
  readonly restarted: boolean;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

/**
 * One call's hold on a session: it keeps the session from expiring. Its id is unique over all
 * replicas.
 */
export interface CallHold {
  readonly callId: string;
  /**
   * The latest time at which this call can still run. After it, the hold no longer counts. So a
   * call whose process died cannot hold its session for ever.
   */
  readonly deadline: number;
  /**
   * The call runs a command, so MAX_CONCURRENT_COMMANDS_PER_SESSION and
   * MAX_CONCURRENT_COMMANDS_PER_USER count it. It counts until COMMAND_LEASE_MS after its last
   * `beginCall` or `resumeCall`.
   */
  readonly command?: boolean;
}

/** A limit that refused a call: the name of its setting and its value. */
export interface Limit {
  readonly name: 'MAX_SESSIONS' | 'MAX_SESSIONS_PER_USER' | 'MAX_CONCURRENT_COMMANDS_PER_SESSION' | 'MAX_CONCURRENT_COMMANDS_PER_USER';
  readonly max: number;
}

/** A session's sandbox, as the container engine knows it. */
export interface AttachedSandbox {
  readonly containerId: string;
  /**
   * Identifies one start of the sandbox. It differs after each start, because processes and tmpfs
   * files end with a start. At most 64 characters.
   */
  readonly startId: string;
  /**
   * How the sandbox came to the session. `made`: created for this session, or taken from the pool.
   * `restarted`: it existed and was started more than once. `found`: it existed.
   */
  readonly origin: 'made' | 'restarted' | 'found';
  readonly image: string;
  /**
   * When the sandbox was created for this session, so the session is at least as old. Absent if it
   * was created for the pool.
   */
  readonly createdAt?: number;
  readonly options?: SandboxOptions;
  /**
   * The settings with which the session began. A record that has settings of its own keeps them.
   * The rules of the network count only for a record that has had no sandbox yet.
   */
  readonly settings?: SessionSettings;
}

/** A job that was started in a session. Only the sandbox knows what became of it. */
export interface JobRecord {
  readonly jobId: string;
  readonly containerId: string;
  /** The start of the sandbox in which the job began. Null if an older version noted the job. */
  readonly startId: string | null;
  readonly command: string;
  /** Milliseconds since the epoch, as all times here. */
  readonly startedAt: number;
  /** The latest time at which the job can still run. */
  readonly deadline: number;
}

/**
 * The answer of `beginCall`: a live session, one that is being removed, none although the call
 * wants one that is there, or the limit that refused the call.
 */
export type BeginResult =
  | { readonly state: 'live'; readonly record: SessionRecord; readonly created: boolean }
  /** A process is removing the session. After `until`, another one may take the removal over. */
  | { readonly state: 'closing'; readonly until: number }
  | { readonly state: 'absent' }
  | { readonly state: 'full'; readonly limit: Limit };

/** The answer of `resumeCall`. */
export type ResumeResult = Exclude<BeginResult, { state: 'full' | 'absent' }>;

/**
 * The answer of `attachSandbox`. `live: false` means that the session ended meanwhile: the caller
 * has to begin again.
 */
export type AttachResult =
  | {
      readonly live: true;
      /** `restarted` of the record. */
      readonly restarted: boolean;
      /**
       * This call gave the session its first sandbox, and created it. True for at most one call of
       * a session.
       */
      readonly created: boolean;
    }
  | { readonly live: false };

/** The clock that all processes of a store share. */
export interface StoreTime {
  /**
   * The time to pass to the methods below, in milliseconds since the epoch. All processes that
   * share the store have the same time, and a jump of a wall clock does not change it.
   */
  now(): number;
}

/** The calls and jobs that are in a session and keep it alive, and the sandbox they work in. */
export interface SessionCalls {
  /**
   * Opens a call in the session, and creates the record if there is none. An expired record is
   * revived, unless its removal has begun.
   * @param ref if it has an allowance, the call opens only if that is granted. With `onlyLive`, it
   *   opens only if the session is there and has not expired.
   * @param now what `now()` returned
   * @param options of a new session. Ignored if the record exists.
   * @returns `full` if a limit refuses the call, `absent` if `onlyLive` does. Then nothing has
   *   changed.
   * @throws what `ref.allowance.granted` rejects with. A request over its budget has then changed
   *   nothing.
   */
  beginCall(ref: SessionRef, hold: CallHold, now: number, options?: SessionOptions): Promise<BeginResult>;
  /**
   * Opens again a call that was admitted before, or the call of a job. No limit applies. It also
   * works if a flushed store has forgotten the session and the call.
   */
  resumeCall(ref: SessionRef, hold: CallHold, now: number): Promise<ResumeResult>;
  /**
   * Ends a call and notes `now` as a use of the session. A session without a sandbox is forgotten
   * with its last call. No effect if the generation differs or the record is gone.
   */
  endCall(key: string, generation: string, callId: string, now: number): Promise<void>;
  /**
   * Notes the sandbox of a session. Sets `restarted` in the record if the session had another
   * sandbox, or the same one in another start. The same holds if the store does not know the
   * session yet and its sandbox was started more than once.
   * @returns `live: false` if the generation differs, is closing or is gone. Then the caller has to
   *   begin again.
   */
  attachSandbox(key: string, generation: string, sandbox: AttachedSandbox): Promise<AttachResult>;
  /**
   * Takes the record's `restarted` mark.
   * @returns true if the sandbox was replaced and nobody was told. Of several callers, one gets
   *   true. False if the generation differs or is gone.
   */
  takeRestarted(key: string, generation: string): Promise<boolean>;
}

/** What the store knows of the live sessions. */
export interface SessionRecords {
  /**
   * Changes the settings that are given. This counts as a use of the session.
   * @returns null if there is no live session
   */
  updateSession(key: string, settings: SessionSettings, now: number): Promise<SessionRecord | null>;
  /** @returns the record of a live session; null if it is closing, expired or absent */
  getSession(key: string, now: number): Promise<SessionRecord | null>;
  /** @returns the user's live records, oldest first, at most MAX_LISTED */
  listSessions(userKey: string, now: number): Promise<SessionRecord[]>;
  /** @returns the live records of all users, oldest first, at most MAX_LISTED */
  listAllSessions(now: number): Promise<SessionRecord[]>;
  /**
   * @returns keys of expired sessions and of closing marks whose time is over, those overdue
   *   longest first; at most `limit`
   */
  listExpired(now: number, limit: number): Promise<string[]>;
  /**
   * Tells which sandboxes are in use.
   * @param keys session keys and ids of pooled sandboxes, mixed
   * @returns the keys that have a record or a valid closing mark, and the ids that a pool keeps
   */
  findKnown(keys: string[], now: number): Promise<Set<string>>;
}

/** The marks under which one process removes a session. */
export interface ClosingMarks {
  /**
   * Marks the session as closing until `until`, so that no call enters it.
   * @param condition `always`: also if there is no record. `expired`: only if the record has
   *   expired. `unknown`: only if there is no record. A closing mark whose time is over is taken
   *   over whatever the condition.
   * @returns false if the condition does not hold, or another process's closing mark is still valid
   */
  closeSession(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean>;
  /**
   * Moves the end of a closing mark.
   * @returns false if there is no closing mark any more
   */
  keepClosing(key: string, until: number): Promise<boolean>;
  /** Removes the record and the closing mark. The caller has removed the sandbox before. */
  removeSession(key: string): Promise<void>;
}

/** The jobs that sessions have had. */
export interface SessionJobRecords {
  /**
   * Notes a job of the session.
   * @returns `full` if the session has `max` other jobs; `moved` if the generation differs or is
   *   gone
   */
  addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'>;
  /** @returns the session's jobs, oldest first. They are forgotten with its record. */
  listJobs(key: string): Promise<JobRecord[]>;
  removeJob(key: string, jobId: string): Promise<void>;
}

/** What the sessions' programs have done on the network. */
export interface NetworkEvents {
  /**
   * Notes events of the session's network, the oldest first. The last MAX_NETWORK_EVENTS are kept,
   * as long as the session's record.
   * @param events texts that only the writer understands
   * @param bytes how many bytes went in and out since the last call
   * @returns all bytes of the session, of all processes; null if the generation differs or is gone
   */
  addNetworkEvents(key: string, generation: string, events: readonly string[], bytes: number): Promise<number | null>;
  /** @returns the session's events, the oldest first, and all bytes that it has moved */
  readNetwork(key: string): Promise<{ events: string[]; bytes: number }>;
}

/** The sandboxes that wait in a pool. */
export interface PoolMarks {
  /**
   * Marks sandboxes as waiting in a pool until `until`, so that the sweeper does not remove them.
   * @param ids ids of the sandboxes
   */
  keepPooled(ids: string[], until: number): Promise<void>;
}

/** Short texts that one process leaves for another. */
export interface OneTimeTexts {
  /**
   * Stores a short text that one caller may take, in this process or another. It is gone after
   * `lifetimeMs`.
   */
  putOnce(name: string, value: string, lifetimeMs: number): Promise<void>;
  /**
   * Takes a text that `putOnce` stored.
   * @returns null if it is not there (any more). Of several callers, one gets it.
   */
  takeOnce(name: string): Promise<string | null>;
}

/**
 * An index of live sessions. The container engine holds the truth: an index that is lost is rebuilt
 * from it.
 *
 * The expiry of a session is derived: max(last use, deadlines of the calls in it) + its time to
 * live. The counts for the limits are derived too, from records and holds. So they are the same for
 * all replicas, and a command that a dead process left counts for at most COMMAND_LEASE_MS.
 *
 * Every method is atomic and takes one round trip. Each throws SandboxError STORE_UNAVAILABLE
 * within 2 s if the store cannot be reached.
 */
export interface SessionStore
  extends
    StoreTime,
    SessionCalls,
    SessionRecords,
    ClosingMarks,
    SessionJobRecords,
    NetworkEvents,
    PoolMarks,
    RequestCounts,
    OneTimeTexts,
    PortGrants,
    RepeatableRequests {
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  disconnect(): Promise<void>;
}

export const SESSION_STORE = Symbol('SessionStore');
/**
 * How long a command counts in its limits after `beginCall` or the last `resumeCall`. A process
 * that dies stops calling `resumeCall`, so its commands stop counting. Longer than a call needs to
 * enter its session, because no `resumeCall` comes before that.
 */
export const COMMAND_LEASE_MS = 30_000;
/** The most events that are kept of a session's network. */
export const MAX_NETWORK_EVENTS = 400;
/** The most sessions that `listSessions` and `listAllSessions` return. */
export const MAX_LISTED = 1_000;

/**
 * @returns the time until which a hold counts as a command if its process dies now; undefined if it
 *   is no command
 */
export function countsUntil({ command, deadline }: CallHold, now: number): number | undefined {
  return command ? Math.min(deadline, now + COMMAND_LEASE_MS) : undefined;
}
