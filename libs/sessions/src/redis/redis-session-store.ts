import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '@sandbox/config';
import type { Window } from '@sandbox/counters';
import type { SessionRef } from '../session-identity';
import { formatOptions, type SessionOptions, type SessionSettings } from '../session-options';
import {
  countsUntil,
  MAX_LISTED,
  type AttachedSandbox,
  type AttachResult,
  type BeginResult,
  type CallHold,
  type JobRecord,
  type SessionRecord,
  type SessionStore,
} from '../session-store';
import { RedisConnection } from '@sandbox/redis';
import {
  formatJob,
  formatRef,
  parseAttach,
  parseBegin,
  parseExpired,
  parseJobAdded,
  parseJobs,
  parseRecord,
  parseRecords,
  parseWindow,
  parseTexts,
  type ReplyContext,
} from './session-replies';
import { StoreClock } from './store-clock';
import { SESSION_SCRIPTS, type SessionScript } from './session-scripts';

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
    const { allowance } = ref;
    if (allowance === undefined || allowance.settled) {
      await allowance?.granted;
      return this.enterSession('begin', ref, hold, now, options);
    }
    // The connection keeps the order of commands, so Redis has counted the request by then.
    const entering = this.enterSession('begin', ref, hold, now, options, allowance.requestId);
    const [granted, entered] = await Promise.allSettled([allowance.granted, entering]);
    if (granted.status === 'rejected') {
      // The count was lost with its connection, and the call was let in by the next one.
      if (entered.status === 'fulfilled' && entered.value.state === 'live')
        await this.endCall(ref.key, entered.value.record.generation, hold.callId, now).catch(() => undefined);
      throw granted.reason;
    }
    return entering;
  }

  async resumeCall(ref: SessionRef, hold: CallHold, now: number): Promise<Exclude<BeginResult, { state: 'full' }>> {
    const result = await this.enterSession('resume', ref, hold, now);
    if (result.state === 'full') throw new Error('A call that goes on was counted');
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

  countRequest(userId: string, limit: number, windowMs: number, requestId = ''): Promise<Window> {
    return this.runScript('sessionCountRequest', [userId, limit, windowMs, requestId], parseWindow);
  }

  async putOnce(name: string, value: string, lifetimeMs: number): Promise<void> {
    await this.connection.runCommand((client) => client.set(`${this.prefix}once:${name}`, value, 'PX', lifetimeMs));
  }

  takeOnce(name: string): Promise<string | null> {
    return this.connection.runCommand((client) => client.getdel(`${this.prefix}once:${name}`));
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
    return this.runScript('sessionBegin', [...known, ...asked, ...max, requestId], (reply) => parseBegin(this.context, ref.key, reply));
  }

  private runScript<T>(script: SessionScript, args: (string | number)[], parse: (reply: unknown) => T): Promise<T> {
    return this.connection.runCommand(async (client) => parse(await (client as ScriptedClient)[script](this.prefix, ...args)));
  }
}

/**
 * @returns the session's own time to live in milliseconds and its metadata as JSON; empty if not
 *   given
 */
function settingsArgs({ ttl_seconds, metadata }: SessionSettings): [number | '', string] {
  return [ttl_seconds === undefined ? '' : ttl_seconds * 1000, metadata === undefined ? '' : JSON.stringify(metadata)];
}
