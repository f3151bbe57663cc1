import type { SessionRef } from './session-identity';
import type { SandboxOptions, SessionOptions, SessionSettings } from './session-options';

/** What the store knows of a live session. All times are milliseconds since the epoch. */
export interface SessionRecord {
  readonly ref: SessionRef;
  /** Chosen anew each time a session begins; tells a session from its successor of the same name. */
  readonly generation: string;
  /** The sandbox last known for it; null until the first one is made. */
  readonly containerId: string | null;
  readonly image: string | null;
  /**
   * The start that its sandbox was last known to be in (`AttachedSandbox.startId`). Null until it
   * is known, and where the record was last written by a version that does not note it.
   */
  readonly startId: string | null;
  /** Of its sandbox; null until it is known: the session was begun by a call that says nothing of them, and no sandbox has told. */
  readonly options: SandboxOptions | null;
  readonly ttlMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Its sandbox was made anew, and no call has said so yet (`takeRestarted`). */
  readonly restarted: boolean;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

/** One call's hold on a session. Its id is unique over all replicas. */
export interface CallHold {
  readonly callId: string;
  /** The latest moment at which this call can still be running. Past it the hold counts no more, so none can leak. */
  readonly deadline: number;
  /** It runs a command: MAX_CONCURRENT_COMMANDS_PER_SESSION and _PER_USER count it, until COMMAND_LEASE_MS after its last begin or resume. */
  readonly command?: boolean;
}

/** A limit that keeps a call out: its name, as the operator sets it, and how many it lets in. */
export interface Limit {
  readonly name: 'MAX_SESSIONS' | 'MAX_SESSIONS_PER_USER' | 'MAX_CONCURRENT_COMMANDS_PER_SESSION' | 'MAX_CONCURRENT_COMMANDS_PER_USER';
  readonly max: number;
}

/** What the engine knows of a session's sandbox. */
export interface AttachedSandbox {
  readonly containerId: string;
  /**
   * Another one for each start of a sandbox, whose processes and tmpfs go with the start. At most
   * 64 characters.
   */
  readonly startId: string;
  /**
   * How the caller came by it. `made`: the caller made it for the session, or took it from the
   * pool. `restarted`: it was there, and has been started more than once. `found`: it was there.
   */
  readonly origin: 'made' | 'restarted' | 'found';
  readonly image: string;
  /** When it was made for the session, which is at least as old; absent where it was made for the pool. */
  readonly createdAt?: number;
  readonly options?: SandboxOptions;
  /** As the session began; a record that has its own keeps them. */
  readonly settings?: SessionSettings;
}

/** A job that was started in a session. What became of it, its sandbox knows. */
export interface JobRecord {
  readonly jobId: string;
  readonly containerId: string;
  /** The sandbox's start that it was started in; null where an older version has noted it. */
  readonly startId: string | null;
  readonly command: string;
  /** Milliseconds since the epoch, as all times. */
  readonly startedAt: number;
  /** The latest moment at which it can still run. */
  readonly deadline: number;
}

export type BeginResult =
  | { readonly state: 'live'; readonly record: SessionRecord; readonly created: boolean }
  /** Somebody is removing it; `until` is when that somebody's time is over and another may take the removal over. */
  | { readonly state: 'closing'; readonly until: number }
  | { readonly state: 'full'; readonly limit: Limit };

export type AttachResult =
  | {
      readonly live: true;
      /** As in the record. */
      readonly restarted: boolean;
      /**
       * The session has its first sandbox by this call, which made it: true for one call of a
       * session.
       */
      readonly created: boolean;
    }
  | { readonly live: false };

/**
 * An index of live sessions; the container engine is the truth. A session's expiry is derived:
 * max(last use, deadlines of the calls in it) + ttl. What the limits count is derived as well, from records and holds: it is
 * the same for all replicas, and a command that a dead process has left counts no longer than COMMAND_LEASE_MS. Every method is atomic,
 * takes one round trip, and throws SandboxError STORE_UNAVAILABLE within STORE_DEADLINE_MS when the store cannot be reached.
 */
export interface SessionStore {
  /**
   * The time of all calls below, milliseconds since the epoch: one for all processes that share the store, and no jump of a wall clock
   * reaches it.
   */
  now(): number;
  /**
   * Opens a call in the session, making the record, with these options, where there is none (one that has expired but that nobody has
   * closed yet is revived). `full` where a limit keeps it out; then nothing has changed.
   */
  begin(ref: SessionRef, hold: CallHold, now: number, options?: SessionOptions): Promise<BeginResult>;
  /** Opens again a call that was let in before, or a job's: past any limit, and where a flushed store has forgotten session and call. */
  resume(ref: SessionRef, hold: CallHold, now: number): Promise<Exclude<BeginResult, { state: 'full' }>>;
  /** Ends a call: last use becomes `now`; a session that has no sandbox is forgotten with the last call in it. No effect where the generation is another or the record is gone. */
  end(key: string, generation: string, callId: string, now: number): Promise<void>;
  /**
   * Notes the sandbox of a session. If the session had another one, or the same in another start,
   * that is noted too (`restarted`, until it is taken); so it is if the session is new to the
   * store, and its sandbox was started more than once. Not live where the generation is another,
   * closing or gone: the caller has to begin again.
   */
  attach(key: string, generation: string, sandbox: AttachedSandbox): Promise<AttachResult>;
  /** Whether its sandbox was made anew and nobody was told: of many callers one gets true. False where the generation is another or gone. */
  takeRestarted(key: string, generation: string): Promise<boolean>;
  /** Changes what is given of a live session, which counts as a use of it. Null where there is none. */
  update(key: string, settings: SessionSettings, now: number): Promise<SessionRecord | null>;
  /** The live (not closing, not expired) record. */
  get(key: string, now: number): Promise<SessionRecord | null>;
  /** The user's live records, oldest first; at most MAX_LISTED. */
  list(userKey: string, now: number): Promise<SessionRecord[]>;
  /**
   * Marks the session as closing until `until`, so that nobody enters it; answers false where the condition does not hold (or another's closing mark is still valid).
   * `always`: whatever is there (also nothing). `expired`: only a record whose expiry is past. `unknown`: only where there is no record.
   */
  close(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean>;
  /** Moves the end of a closing mark; false where there is none any more. */
  keepClosing(key: string, until: number): Promise<boolean>;
  /** Takes record and closing mark away: the sandbox is gone. */
  remove(key: string): Promise<void>;
  /** Keys of sessions whose expiry is past, and of closings whose time is over, the longest first; at most `limit`. */
  expired(now: number, limit: number): Promise<string[]>;
  /** Keeps sandboxes that wait in a pool, by their ids, from being taken for leftovers until then. */
  keepPooled(ids: string[], until: number): Promise<void>;
  /** Which of these keys have a record or a valid closing mark, and which of these ids are kept in a pool. */
  known(keys: string[], now: number): Promise<Set<string>>;
  /** Notes a job of the session. `full` where it has `max` others; `moved` where the generation is another, or gone. */
  addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'>;
  /** Oldest first. A session's jobs go with its record. */
  jobs(key: string): Promise<JobRecord[]>;
  removeJob(key: string, jobId: string): Promise<void>;
  /** Leaves a short text for whoever takes it first, in this process or another; it is gone after `lifetimeMs`. */
  putOnce(name: string, value: string, lifetimeMs: number): Promise<void>;
  /** Takes it: null where nothing is there (any more). Of many callers one gets it. */
  takeOnce(name: string): Promise<string | null>;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  disconnect(): Promise<void>;
}

export const SESSION_STORE = Symbol('SessionStore');
/** No store call takes longer, milliseconds. */
export const STORE_DEADLINE_MS = 2_000;
/**
 * How long a command counts in its limits unless `resume` says again that it runs, milliseconds; it ends with the process that ran it.
 * Longer than a call may take to get into its session, since until then nothing says so.
 */
export const COMMAND_LEASE_MS = 30_000;
export const MAX_LISTED = 1_000;

/** When a hold ceases to count as a command, had its process just died; undefined where it is none. */
export function countsUntil({ command, deadline }: CallHold, now: number): number | undefined {
  return command ? Math.min(deadline, now + COMMAND_LEASE_MS) : undefined;
}
