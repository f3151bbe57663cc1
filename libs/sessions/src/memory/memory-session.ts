import { randomUUID } from 'node:crypto';
import type { SessionRef } from '../session-identity';
import type { SandboxOptions, SessionOptions, SessionSettings } from '../session-options';
import type { JobRecord } from '../session-store';

interface Call {
  readonly deadline: number;
  readonly countsUntil: number | undefined;
}

/** A session as MemorySessionStore holds it. */
export interface Session {
  readonly ref: SessionRef;
  readonly generation: string;
  readonly calls: Map<string, Call>;
  readonly jobs: Map<string, JobRecord>;
  /** Of its network. */
  readonly events: string[];
  bytes: number;
  containerId: string | null;
  image: string | null;
  startId: string | null;
  /**
   * Set once the session has its first sandbox: no later call can report that it made the session.
   */
  begun: boolean;
  options: SandboxOptions | null;
  settings: SessionSettings;
  restarted: boolean;
  createdAt: number;
  lastUsedAt: number;
}

/** @returns how many of the session's calls count as commands */
export function commands(session: Session, now: number): number {
  return [...session.calls.values()].filter((call) => call.countsUntil !== undefined && call.countsUntil >= now).length;
}

/** @returns the settings without the members that are undefined */
export function given({ ttl_seconds, metadata, network }: SessionSettings): SessionSettings {
  return {
    ...(ttl_seconds === undefined ? {} : { ttl_seconds }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(network === undefined ? {} : { network }),
  };
}

export function newSession(ref: SessionRef, now: number, options?: SessionOptions): Session {
  const { ttl_seconds, metadata, network, ...sandboxOptions } = options ?? {};
  return {
    ref,
    generation: randomUUID(),
    calls: new Map(),
    jobs: new Map(),
    events: [],
    bytes: 0,
    containerId: null,
    image: null,
    startId: null,
    begun: false,
    options: options ? sandboxOptions : null,
    settings: given({ ttl_seconds, metadata, network }),
    restarted: false,
    createdAt: now,
    lastUsedAt: now,
  };
}

/** Notes a use of the session, and drops holds that are past their deadline. */
export function touch(session: Session, now: number): void {
  session.lastUsedAt = Math.max(session.lastUsedAt, now);
  for (const [callId, { deadline }] of session.calls) if (deadline < now) session.calls.delete(callId);
}
