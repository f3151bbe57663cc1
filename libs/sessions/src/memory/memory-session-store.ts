import { randomUUID } from 'node:crypto';
import type { Config } from '@sandbox/config';
import type { SessionRef } from '../session-identity';
import {
  MAX_LISTED,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type SessionRecord,
  type SessionStore,
} from '../session-store';
import { LeftTexts } from './left-texts';

interface Session {
  readonly ref: SessionRef;
  readonly generation: string;
  readonly calls: Map<string, number>;
  readonly jobs: Map<string, JobRecord>;
  containerId: string | null;
  image: string | null;
  createdAt: number;
  lastUsedAt: number;
}

/**
 * Sessions in this process, for a deployment of one process. No method awaits anything, which makes each atomic. It needs no bound of
 * its own: every session has a sandbox, every call a request.
 */
export class MemorySessionStore implements SessionStore {
  private readonly sessions = new Map<string, Session>();
  /** When the closing mark of a key ends. A key is here or in `sessions`, never in both. */
  private readonly closing = new Map<string, number>();
  private readonly left = new LeftTexts();
  private readonly ttlMs: number;

  constructor(config: Config) {
    this.ttlMs = config.SESSION_TTL_SECONDS * 1000;
  }

  async begin(ref: SessionRef, { callId, deadline }: CallHold, now: number): Promise<BeginResult> {
    const until = this.closing.get(ref.key);
    if (until !== undefined) return { state: 'closing', until };
    const known = this.sessions.get(ref.key);
    const session = known ?? newSession(ref, now);
    this.sessions.set(ref.key, session);
    session.calls.set(callId, deadline);
    touch(session, now);
    return { state: 'live', record: this.record(session), created: known === undefined };
  }

  async end(key: string, generation: string, callId: string, now: number): Promise<void> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return;
    session.calls.delete(callId);
    touch(session, now);
  }

  async attach(
    key: string,
    generation: string,
    container: { containerId: string; image: string; createdAt?: number },
  ): Promise<AttachResult> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return { live: false };
    const previous = session.containerId;
    session.containerId = container.containerId;
    session.image = container.image;
    session.createdAt = Math.min(session.createdAt, container.createdAt ?? Infinity);
    return { live: true, previous };
  }

  async get(key: string, now: number): Promise<SessionRecord | null> {
    const session = this.sessions.get(key);
    return session && this.expiry(session) > now ? this.record(session) : null;
  }

  async list(userKey: string, now: number): Promise<SessionRecord[]> {
    return [...this.sessions.values()]
      .filter((session) => session.ref.userKey === userKey && this.expiry(session) > now)
      .map((session) => this.record(session))
      .sort((a, b) => b.expiresAt - a.expiresAt)
      .slice(0, MAX_LISTED)
      .sort((a, b) => a.createdAt - b.createdAt);
  }

  async close(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean> {
    const closing = this.closing.get(key);
    if (closing !== undefined && closing > now) return false;
    // A mark whose time is over is taken over, whatever the condition.
    if (closing === undefined && !this.meets(condition, this.sessions.get(key), now)) return false;
    this.sessions.delete(key);
    this.closing.set(key, until);
    return true;
  }

  async remove(key: string): Promise<void> {
    this.sessions.delete(key);
    this.closing.delete(key);
  }

  async expired(now: number, limit: number): Promise<string[]> {
    const sessions = [...this.sessions].map(([key, session]) => ({ key, time: this.expiry(session) }));
    const closings = [...this.closing].map(([key, time]) => ({ key, time }));
    return [...sessions, ...closings]
      .filter(({ time }) => time <= now)
      .sort((a, b) => a.time - b.time)
      .slice(0, limit)
      .map(({ key }) => key);
  }

  async known(keys: string[], now: number): Promise<Set<string>> {
    return new Set(keys.filter((key) => this.sessions.has(key) || (this.closing.get(key) ?? 0) > now));
  }

  async addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return 'moved';
    if (!session.jobs.has(job.jobId) && session.jobs.size >= max) return 'full';
    session.jobs.set(job.jobId, job);
    return 'added';
  }

  async jobs(key: string): Promise<JobRecord[]> {
    return [...(this.sessions.get(key)?.jobs.values() ?? [])].sort((a, b) => a.startedAt - b.startedAt);
  }

  async removeJob(key: string, jobId: string): Promise<void> {
    this.sessions.get(key)?.jobs.delete(jobId);
  }

  async putOnce(name: string, value: string, lifetimeMs: number): Promise<void> {
    this.left.put(name, value, Date.now() + lifetimeMs);
  }

  async takeOnce(name: string): Promise<string | null> {
    return this.left.take(name, Date.now());
  }

  async ping(): Promise<void> {}

  async disconnect(): Promise<void> {}

  private meets(condition: 'always' | 'expired' | 'unknown', session: Session | undefined, now: number): boolean {
    if (condition === 'expired') return session !== undefined && this.expiry(session) <= now;
    return condition === 'always' || session === undefined;
  }

  private expiry(session: Session): number {
    return Math.max(session.lastUsedAt, ...session.calls.values()) + this.ttlMs;
  }

  private record(session: Session): SessionRecord {
    const { ref, generation, containerId, image, createdAt, lastUsedAt } = session;
    return { ref, generation, containerId, image, createdAt, lastUsedAt, expiresAt: this.expiry(session) };
  }
}

function newSession(ref: SessionRef, now: number): Session {
  return {
    ref,
    generation: randomUUID(),
    calls: new Map(),
    jobs: new Map(),
    containerId: null,
    image: null,
    createdAt: now,
    lastUsedAt: now,
  };
}

/** Notes a use of the session; holds past their deadline count no more. */
function touch(session: Session, now: number): void {
  session.lastUsedAt = Math.max(session.lastUsedAt, now);
  for (const [callId, deadline] of session.calls) if (deadline < now) session.calls.delete(callId);
}
