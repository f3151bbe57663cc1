import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '@sandbox/config';
import type { Window } from '@sandbox/counters';
import { formatPortGrant, MAX_PORT_GRANTS, parsePortGrant, type PortGrant } from '../port-grants';
import {
  MAX_ANSWER_BYTES,
  MAX_ANSWERS_BYTES,
  MAX_REQUESTS,
  MIN_REQUEST_AGE_MS,
  REQUEST_LEASE_MS,
  REQUEST_LIFETIME_MS,
  type RepeatableRequest,
  type RequestClaim,
} from '../repeatable-requests';
import type { SessionRef } from '../session-identity';
import { formatNetwork, formatOptions, type SessionOptions, type SessionSettings } from '../session-options';
import {
  countsUntil,
  MAX_LISTED,
  MAX_NETWORK_EVENTS,
  type AttachedSandbox,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type ResumeResult,
  type SessionRecord,
  type SessionStore,
} from '../session-store';
import { RedisConnection } from '@sandbox/redis';
import {
  formatJob,
  formatRef,
  parseAttach,
  parseBegin,
  parseClaim,
  parseExpired,
  parseJobAdded,
  parseJobs,
  parseNetworkBytes,
  parseNetworkRead,
  parseRecord,
  parseRecords,
  parseWindow,
  parseTexts,
  type ReplyContext,
} from './session-replies';
import { StoreClock } from './store-clock';
import { SESSION_SCRIPTS, type SessionScript } from './session-scripts';
import { whileCounting } from './while-counting';

type ScriptedClient = Redis & Record<SessionScript, (prefix: string, ...args: (string | number)[]) => Promise<unknown>>;

/** Sessions in Redis, shared by all replicas of a deployment. */
export class RedisSessionStore implements SessionStore {
  private readonly connection: RedisConnection;
  private readonly clock: StoreClock;
  private readonly prefix: string;
  private readonly context: ReplyContext;

  constructor(config: Config) {
    this.prefix = `sandbox:{${config.DEPLOYMENT}}:`;
    this.context = { deployment: config.DEPLOYMENT, ttlMs: config.SESSION_TTL_SECONDS * 1000, limits: config };
    this.connection = new RedisConnection(config);
    this.clock = new StoreClock(this.connection);
    for (const [name, lua] of Object.entries(SESSION_SCRIPTS)) this.connection.client.defineCommand(name, { numberOfKeys: 1, lua });
  }

  now(): number {
    return this.clock.now();
  }

  async beginCall(ref: SessionRef, hold: CallHold, now: number, options?: SessionOptions): Promise<BeginResult> {
    const enter = (requestId: string): Promise<BeginResult> => this.enterSession('begin', ref, hold, now, options, requestId);
    return whileCounting(ref.allowance, enter, async (entered) => {
      if (entered.state === 'live') await this.endCall(ref.key, entered.record.generation, hold.callId, now);
    });
  }

  async resumeCall(ref: SessionRef, hold: CallHold, now: number): Promise<ResumeResult> {
    const result = await this.enterSession('resume', ref, hold, now);
    if (result.state === 'full' || result.state === 'absent') throw new Error('A call that goes on was refused');
    return result;
  }

  endCall(key: string, generation: string, callId: string, now: number): Promise<void> {
    return this.runScript('sessionEnd', [key, generation, callId, now, this.context.ttlMs], () => undefined);
  }

  attachSandbox(key: string, generation: string, sandbox: AttachedSandbox): Promise<AttachResult> {
    const { containerId, startId, origin, image, createdAt = '', options = {}, settings = {} } = sandbox;
    const args = [
      key,
      generation,
      containerId,
      startId,
      origin,
      image,
      createdAt,
      formatOptions(options) || '{}',
      ...settingsArgs(settings),
    ];
    return this.runScript('sessionAttach', [...args, this.context.ttlMs], parseAttach);
  }

  takeRestarted(key: string, generation: string): Promise<boolean> {
    return this.runScript('sessionTakeRestarted', [key, generation], (reply) => reply === 1);
  }

  updateSession(key: string, settings: SessionSettings, now: number): Promise<SessionRecord | null> {
    return this.runScript('sessionUpdate', [key, now, ...settingsArgs(settings), this.context.ttlMs], (reply) =>
      parseRecord(this.context, key, reply),
    );
  }

  getSession(key: string, now: number): Promise<SessionRecord | null> {
    return this.runScript('sessionGet', [key, now], (reply) => parseRecord(this.context, key, reply));
  }

  listSessions(userKey: string, now: number): Promise<SessionRecord[]> {
    return this.runScript('sessionList', [userKey, now, MAX_LISTED], (reply) => parseRecords(this.context, reply));
  }

  listAllSessions(now: number): Promise<SessionRecord[]> {
    return this.runScript('sessionList', ['', now, MAX_LISTED], (reply) => parseRecords(this.context, reply));
  }

  closeSession(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean> {
    return this.runScript('sessionClose', [key, condition, now, until], (reply) => reply === 1);
  }

  keepClosing(key: string, until: number): Promise<boolean> {
    return this.runScript('sessionKeepClosing', [key, until], (reply) => reply === 1);
  }

  removeSession(key: string): Promise<void> {
    return this.runScript('sessionRemove', [key], () => undefined);
  }

  listExpired(now: number, limit: number): Promise<string[]> {
    return this.runScript('sessionExpired', [now, limit], (reply) => parseExpired(reply, limit));
  }

  keepPooled(ids: string[], until: number): Promise<void> {
    return this.runScript('sessionKeepPooled', [until, ...ids], () => undefined);
  }

  findKnown(keys: string[], now: number): Promise<Set<string>> {
    return this.runScript('sessionKnown', [now, ...keys], (reply) => new Set(parseTexts(reply)));
  }

  addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'> {
    return this.runScript('sessionAddJob', [key, generation, job.jobId, formatJob(job), max], parseJobAdded);
  }

  listJobs(key: string): Promise<JobRecord[]> {
    return this.runScript('sessionJobs', [key], parseJobs);
  }

  removeJob(key: string, jobId: string): Promise<void> {
    return this.runScript('sessionRemoveJob', [key, jobId], () => undefined);
  }

  addNetworkEvents(key: string, generation: string, events: readonly string[], bytes: number): Promise<number | null> {
    return this.runScript('sessionAddNetworkEvents', [key, generation, bytes, MAX_NETWORK_EVENTS, ...events], parseNetworkBytes);
  }

  readNetwork(key: string): Promise<{ events: string[]; bytes: number }> {
    return this.runScript('sessionReadNetwork', [key], parseNetworkRead);
  }

  countRequest(userId: string, limit: number, windowMs: number, requestId = ''): Promise<Window> {
    return this.runScript('sessionCountRequest', [userId, limit, windowMs, requestId], parseWindow);
  }

  async putOnce(name: string, value: string, lifetimeMs: number): Promise<void> {
    await this.connection.runCommand((client) => client.set(`${this.prefix}once:${name}`, value, 'PX', lifetimeMs));
  }

  takeOnce(name: string): Promise<string | null> {
    return this.connection.runCommand((client) => client.getdel(`${this.prefix}once:${name}`));
  }

  addPortGrant(id: string, grant: PortGrant, now: number): Promise<void> {
    const { key, port, expiresAt } = grant;
    const args = [key, id, port, formatPortGrant(grant), expiresAt, now, MAX_PORT_GRANTS];
    return this.runScript('sessionAddPortGrant', args, () => undefined);
  }

  async findPortGrant(id: string, now: number): Promise<PortGrant | null> {
    const text = await this.connection.runCommand((client) => client.get(`${this.prefix}grant:${id}`));
    const grant = text === null ? null : parsePortGrant(text);
    return grant !== null && grant.expiresAt > now ? grant : null;
  }

  removePortGrants(key: string, port: number): Promise<void> {
    return this.runScript('sessionRemovePortGrants', [key, port], () => undefined);
  }

  claimRequest(request: RepeatableRequest, claimId: string, now: number): Promise<RequestClaim> {
    const { userKey, name, fingerprint, allowance } = request;
    const args = [userKey, name, fingerprint, claimId, now, REQUEST_LEASE_MS, REQUEST_LIFETIME_MS, MAX_REQUESTS, MIN_REQUEST_AGE_MS];
    return whileCounting(
      allowance,
      (requestId) => this.runScript('sessionClaimRequest', [...args, requestId], parseClaim),
      () => this.releaseRequest(request, claimId),
    );
  }

  keepRequests(claims: readonly { request: RepeatableRequest; claimId: string }[], now: number): Promise<void> {
    const named = claims.flatMap(({ request, claimId }) => [request.name, claimId]);
    return this.runScript('sessionKeepRequests', [now + REQUEST_LEASE_MS, ...named], () => undefined);
  }

  answerRequest({ userKey, name }: RepeatableRequest, claimId: string, { status, body }: { status: number; body: string }): Promise<void> {
    const bytes = Buffer.byteLength(body);
    const kept = bytes <= MAX_ANSWER_BYTES ? [bytes, body] : ['', ''];
    const args = [userKey, name, claimId, status, ...kept, MAX_ANSWERS_BYTES, REQUEST_LIFETIME_MS];
    return this.runScript('sessionAnswerRequest', args, () => undefined);
  }

  releaseRequest({ userKey, name }: RepeatableRequest, claimId: string): Promise<void> {
    return this.runScript('sessionReleaseRequest', [userKey, name, claimId], () => undefined);
  }

  async ping(): Promise<void> {
    await this.connection.runCommand((client) => client.ping());
  }

  async disconnect(): Promise<void> {
    this.clock.stop();
    this.connection.disconnect();
  }

  private enterSession(
    entry: 'begin' | 'resume',
    ref: SessionRef,
    hold: CallHold,
    now: number,
    options?: SessionOptions,
    requestId = '',
  ): Promise<BeginResult> {
    const { ttlMs, limits } = this.context;
    const call = [hold.callId, hold.deadline, countsUntil(hold, now) ?? ''];
    const known = [ref.key, ref.userKey, formatRef(ref), randomUUID(), ...call, now, ttlMs, entry];
    const asked = [options === undefined ? '' : formatOptions(options) || '{}', ...settingsArgs(options ?? {})];
    const max = [
      limits.MAX_SESSIONS,
      limits.MAX_SESSIONS_PER_USER,
      limits.MAX_CONCURRENT_COMMANDS_PER_SESSION,
      limits.MAX_CONCURRENT_COMMANDS_PER_USER,
    ];
    return this.runScript('sessionBegin', [...known, ...asked, ...max, requestId, ref.onlyLive ? 1 : ''], (reply) =>
      parseBegin(this.context, ref.key, reply),
    );
  }

  private runScript<T>(script: SessionScript, args: (string | number)[], parse: (reply: unknown) => T): Promise<T> {
    return this.connection.runCommand(async (client) => parse(await (client as ScriptedClient)[script](this.prefix, ...args)));
  }
}

/**
 * @returns the session's own time to live in milliseconds, and its metadata and the rules of its
 *   network as JSON; empty if not given
 */
function settingsArgs({ ttl_seconds, metadata, network }: SessionSettings): [number | '', string, string] {
  return [
    ttl_seconds === undefined ? '' : ttl_seconds * 1000,
    metadata === undefined ? '' : JSON.stringify(metadata),
    network === undefined ? '' : formatNetwork(network),
  ];
}
