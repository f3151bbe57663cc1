import type { Config } from '@sandbox/config';
import { FixedWindows, type Window } from '@sandbox/counters';
import type { PortGrant } from '../port-grants';
import type { RepeatableRequest, RequestClaim } from '../repeatable-requests';
import type { SessionRef } from '../session-identity';
import type { SessionOptions, SessionSettings } from '../session-options';
import {
  countsUntil,
  MAX_LISTED,
  MAX_NETWORK_EVENTS,
  type AttachedSandbox,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type Limit,
  type ResumeResult,
  type SessionRecord,
  type SessionStore,
} from '../session-store';
import { LeftTexts } from './left-texts';
import { commands, given, newSession, type Session, touch } from './memory-session';
import { PortGrantTable } from './port-grant-table';
import { RequestTable } from './request-table';

/**
 * Sessions in the memory of this process, for a deployment of one process. No method awaits
 * anything once it has begun to read, so each is atomic. It needs no bound of its own, because
 * every session has a sandbox and every call a request.
 */
export class MemorySessionStore implements SessionStore {
  private readonly sessions = new Map<string, Session>();
  /** When the closing mark of a key ends. A key is here or in `sessions`, never in both. */
  private readonly closing = new Map<string, number>();
  /** Until when a pool keeps a sandbox, by the sandbox's id. */
  private readonly pooled = new Map<string, number>();
  private readonly left = new LeftTexts();
  private readonly grants = new PortGrantTable();
  private readonly counts: FixedWindows;
  private readonly requests = new RequestTable();

  constructor(private readonly config: Config) {
    this.counts = new FixedWindows(config.RATE_LIMIT_WINDOW_SECONDS * 1000);
  }

  now(): number {
    return Math.round(performance.timeOrigin + performance.now());
  }

  async beginCall(ref: SessionRef, hold: CallHold, now: number, options?: SessionOptions): Promise<BeginResult> {
    await ref.allowance?.granted;
    const until = this.closing.get(ref.key);
    if (until !== undefined) return { state: 'closing', until };
    const known = this.sessions.get(ref.key);
    if (ref.onlyLive && (known === undefined || this.expiry(known) <= now)) return { state: 'absent' };
    const limit = this.reached(ref, hold, now);
    return limit ? { state: 'full', limit: { name: limit, max: this.config[limit] } } : this.enterSession(ref, hold, now, options);
  }

  async resumeCall(ref: SessionRef, hold: CallHold, now: number): Promise<ResumeResult> {
    const until = this.closing.get(ref.key);
    return until === undefined ? this.enterSession(ref, hold, now) : { state: 'closing', until };
  }

  async endCall(key: string, generation: string, callId: string, now: number): Promise<void> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return;
    session.calls.delete(callId);
    if (session.containerId === null && session.calls.size === 0) this.sessions.delete(key);
    else touch(session, now);
  }

  async attachSandbox(key: string, generation: string, sandbox: AttachedSandbox): Promise<AttachResult> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return { live: false };
    const { containerId: had, startId } = session;
    const another = had !== null && had !== sandbox.containerId;
    const created = sandbox.origin === 'made' && !another && !session.begun;
    if (another || (startId ?? sandbox.startId) !== sandbox.startId || (had === null && sandbox.origin === 'restarted')) {
      session.restarted = true;
    }
    session.begun ||= another || created;
    session.containerId = sandbox.containerId;
    session.startId = sandbox.startId;
    session.image = sandbox.image;
    session.options = sandbox.options ?? {};
    const { network, ...settings } = sandbox.settings ?? {};
    session.settings = { ...settings, ...(had === null && given({ network })), ...session.settings };
    session.createdAt = Math.min(session.createdAt, sandbox.createdAt ?? Infinity);
    return { live: true, restarted: session.restarted, created };
  }

  async takeRestarted(key: string, generation: string): Promise<boolean> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation || !session.restarted) return false;
    session.restarted = false;
    return true;
  }

  async updateSession(key: string, settings: SessionSettings, now: number): Promise<SessionRecord | null> {
    const session = this.sessions.get(key);
    if (!session || this.expiry(session) <= now) return null;
    session.settings = { ...session.settings, ...given(settings) };
    touch(session, now);
    return this.record(session);
  }

  async getSession(key: string, now: number): Promise<SessionRecord | null> {
    const session = this.sessions.get(key);
    return session && this.expiry(session) > now ? this.record(session) : null;
  }

  async listSessions(userKey: string, now: number): Promise<SessionRecord[]> {
    return this.list(({ ref }) => ref.userKey === userKey, now);
  }

  async listAllSessions(now: number): Promise<SessionRecord[]> {
    return this.list(() => true, now);
  }

  async closeSession(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean> {
    const closing = this.closing.get(key);
    if (closing !== undefined && closing > now) return false;
    // A closing mark whose time is over is taken over, whatever the condition.
    if (closing === undefined && !this.meets(condition, this.sessions.get(key), now)) return false;
    this.sessions.delete(key);
    this.closing.set(key, until);
    return true;
  }

  async keepClosing(key: string, until: number): Promise<boolean> {
    if (!this.closing.has(key)) return false;
    this.closing.set(key, until);
    return true;
  }

  async removeSession(key: string): Promise<void> {
    this.sessions.delete(key);
    this.closing.delete(key);
  }

  async listExpired(now: number, limit: number): Promise<string[]> {
    const sessions = [...this.sessions].map(([key, session]) => ({ key, time: this.expiry(session) }));
    const closings = [...this.closing].map(([key, time]) => ({ key, time }));
    return [...sessions, ...closings]
      .filter(({ time }) => time <= now)
      .sort((a, b) => a.time - b.time)
      .slice(0, limit)
      .map(({ key }) => key);
  }

  async keepPooled(ids: string[], until: number): Promise<void> {
    // One process has one pool, so a sandbox that it no longer names has left the pool.
    this.pooled.clear();
    for (const id of ids) this.pooled.set(id, until);
  }

  async findKnown(keys: string[], now: number): Promise<Set<string>> {
    return new Set(keys.filter((key) => this.sessions.has(key) || (this.closing.get(key) ?? this.pooled.get(key) ?? 0) > now));
  }

  async addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return 'moved';
    if (!session.jobs.has(job.jobId) && session.jobs.size >= max) return 'full';
    session.jobs.set(job.jobId, job);
    return 'added';
  }

  async listJobs(key: string): Promise<JobRecord[]> {
    return [...(this.sessions.get(key)?.jobs.values() ?? [])].sort((a, b) => a.startedAt - b.startedAt);
  }

  async removeJob(key: string, jobId: string): Promise<void> {
    this.sessions.get(key)?.jobs.delete(jobId);
  }

  async addNetworkEvents(key: string, generation: string, events: readonly string[], bytes: number): Promise<number | null> {
    const session = this.sessions.get(key);
    if (session?.generation !== generation) return null;
    session.events.push(...events);
    session.events.splice(0, session.events.length - MAX_NETWORK_EVENTS);
    session.bytes += bytes;
    return session.bytes;
  }

  async readNetwork(key: string): Promise<{ events: string[]; bytes: number }> {
    const { events = [], bytes = 0 } = this.sessions.get(key) ?? {};
    return { events: [...events], bytes };
  }

  async countRequest(userId: string): Promise<Window> {
    return this.counts.hit(userId);
  }

  async putOnce(name: string, value: string, lifetimeMs: number): Promise<void> {
    this.left.putText(name, value, this.now() + lifetimeMs);
  }

  async takeOnce(name: string): Promise<string | null> {
    return this.left.takeText(name, this.now());
  }

  addPortGrant(id: string, grant: PortGrant, now: number): Promise<void> {
    return this.grants.addPortGrant(id, grant, now);
  }

  findPortGrant(id: string, now: number): Promise<PortGrant | null> {
    return this.grants.findPortGrant(id, now);
  }

  removePortGrants(key: string, port: number): Promise<void> {
    return this.grants.removePortGrants(key, port);
  }

  claimRequest(request: RepeatableRequest, claimId: string, now: number): Promise<RequestClaim> {
    return this.requests.claimRequest(request, claimId, now);
  }

  keepRequests(claims: readonly { request: RepeatableRequest; claimId: string }[], now: number): Promise<void> {
    return this.requests.keepRequests(claims, now);
  }

  answerRequest(request: RepeatableRequest, claimId: string, answer: { status: number; body: string }): Promise<void> {
    return this.requests.answerRequest(request, claimId, answer);
  }

  releaseRequest(request: RepeatableRequest, claimId: string): Promise<void> {
    return this.requests.releaseRequest(request, claimId);
  }

  async ping(): Promise<void> {}

  async disconnect(): Promise<void> {}

  private list(matches: (session: Session) => boolean, now: number): SessionRecord[] {
    return [...this.sessions.values()]
      .filter((session) => matches(session) && this.expiry(session) > now)
      .map((session) => this.record(session))
      .sort((a, b) => b.expiresAt - a.expiresAt)
      .slice(0, MAX_LISTED)
      .sort((a, b) => a.createdAt - b.createdAt);
  }

  private meets(condition: 'always' | 'expired' | 'unknown', session: Session | undefined, now: number): boolean {
    if (condition === 'expired') return session !== undefined && this.expiry(session) <= now;
    return condition === 'always' || session === undefined;
  }

  private enterSession(ref: SessionRef, hold: CallHold, now: number, options?: SessionOptions): BeginResult & { state: 'live' } {
    const known = this.sessions.get(ref.key);
    const { allowance: _allowance, onlyLive: _onlyLive, ...name } = ref;
    const session = known ?? newSession(name, now, options);
    this.sessions.set(ref.key, session);
    session.calls.set(hold.callId, { deadline: hold.deadline, countsUntil: countsUntil(hold, now) });
    touch(session, now);
    return { state: 'live', record: this.record(session), created: known === undefined };
  }

  /** @returns the limit that refuses a call; undefined if none does */
  private reached(ref: SessionRef, hold: CallHold, now: number): Limit['name'] | undefined {
    const { MAX_SESSIONS, MAX_SESSIONS_PER_USER, MAX_CONCURRENT_COMMANDS_PER_SESSION, MAX_CONCURRENT_COMMANDS_PER_USER } = this.config;
    const known = this.sessions.get(ref.key);
    if (known && !hold.command) return undefined;
    const ofUser = [...this.sessions.values()].filter((session) => session.ref.userKey === ref.userKey);
    if (!known) {
      if (this.sessions.size + this.closing.size >= MAX_SESSIONS) return 'MAX_SESSIONS';
      if (ofUser.filter((session) => this.expiry(session) > now).length >= MAX_SESSIONS_PER_USER) return 'MAX_SESSIONS_PER_USER';
    }
    if (hold.command) {
      if (known && commands(known, now) >= MAX_CONCURRENT_COMMANDS_PER_SESSION) return 'MAX_CONCURRENT_COMMANDS_PER_SESSION';
      const running = ofUser.reduce((sum, session) => sum + commands(session, now), 0);
      if (running >= MAX_CONCURRENT_COMMANDS_PER_USER) return 'MAX_CONCURRENT_COMMANDS_PER_USER';
    }
    return undefined;
  }

  private ttlMs({ settings }: Session): number {
    return (settings.ttl_seconds ?? this.config.SESSION_TTL_SECONDS) * 1000;
  }

  private expiry(session: Session): number {
    return Math.max(session.lastUsedAt, ...[...session.calls.values()].map(({ deadline }) => deadline)) + this.ttlMs(session);
  }

  private record(session: Session): SessionRecord {
    const { ref, generation, containerId, image, startId, options, settings, restarted, createdAt, lastUsedAt } = session;
    return {
      ref,
      generation,
      containerId,
      image,
      startId,
      options,
      ttlMs: this.ttlMs(session),
      metadata: settings.metadata ?? {},
      network: settings.network ?? null,
      restarted,
      createdAt,
      lastUsedAt,
      expiresAt: this.expiry(session),
    };
  }
}
