import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
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
import { RedisConnection } from './redis-connection';
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
  parseTexts,
} from './session-replies';
import { SESSION_SCRIPTS, type SessionScript } from './session-scripts';

type ScriptedClient = Redis & Record<SessionScript, (prefix: string, ...args: (string | number)[]) => Promise<unknown>>;

/** Sessions in Redis, shared by all replicas of a deployment. */
export class RedisSessionStore implements SessionStore {
  private readonly connection: RedisConnection;
  private readonly deployment: string;
  private readonly prefix: string;
  private readonly ttlMs: number;

  constructor(config: Config) {
    this.deployment = config.DEPLOYMENT;
    this.prefix = `sandbox:{${config.DEPLOYMENT}}:`;
    this.ttlMs = config.SESSION_TTL_SECONDS * 1000;
    this.connection = new RedisConnection(config);
    for (const [name, lua] of Object.entries(SESSION_SCRIPTS)) this.connection.client.defineCommand(name, { numberOfKeys: 1, lua });
  }

  begin(ref: SessionRef, { callId, deadline }: CallHold, now: number): Promise<BeginResult> {
    const args = [ref.key, ref.userKey, formatRef(ref), randomUUID(), callId, deadline, now, this.ttlMs];
    return this.run('sessionBegin', args, (reply) => parseBegin(this.deployment, ref.key, reply));
  }

  end(key: string, generation: string, callId: string, now: number): Promise<void> {
    return this.run('sessionEnd', [key, generation, callId, now, this.ttlMs], () => undefined);
  }

  attach(key: string, generation: string, container: { containerId: string; image: string; createdAt?: number }): Promise<AttachResult> {
    return this.run('sessionAttach', [key, generation, container.containerId, container.image, container.createdAt ?? ''], parseAttach);
  }

  get(key: string, now: number): Promise<SessionRecord | null> {
    return this.run('sessionGet', [key, now], (reply) => parseRecord(this.deployment, key, reply));
  }

  list(userKey: string, now: number): Promise<SessionRecord[]> {
    return this.run('sessionList', [userKey, now, MAX_LISTED], (reply) => parseRecords(this.deployment, reply));
  }

  close(key: string, condition: 'always' | 'expired' | 'unknown', now: number, until: number): Promise<boolean> {
    return this.run('sessionClose', [key, condition, now, until], (reply) => reply === 1);
  }

  remove(key: string): Promise<void> {
    return this.run('sessionRemove', [key], () => undefined);
  }

  expired(now: number, limit: number): Promise<string[]> {
    return this.run('sessionExpired', [now, limit], (reply) => parseExpired(reply, limit));
  }

  known(keys: string[], now: number): Promise<Set<string>> {
    return this.run('sessionKnown', [now, ...keys], (reply) => new Set(parseTexts(reply)));
  }

  addJob(key: string, generation: string, job: JobRecord, max: number): Promise<'added' | 'full' | 'moved'> {
    return this.run('sessionAddJob', [key, generation, job.jobId, formatJob(job), max], parseJobAdded);
  }

  jobs(key: string): Promise<JobRecord[]> {
    return this.run('sessionJobs', [key], parseJobs);
  }

  removeJob(key: string, jobId: string): Promise<void> {
    return this.run('sessionRemoveJob', [key, jobId], () => undefined);
  }

  async putOnce(name: string, value: string, lifetimeMs: number): Promise<void> {
    await this.connection.run((client) => client.set(`${this.prefix}once:${name}`, value, 'PX', lifetimeMs));
  }

  takeOnce(name: string): Promise<string | null> {
    return this.connection.run((client) => client.getdel(`${this.prefix}once:${name}`));
  }

  async ping(): Promise<void> {
    await this.connection.run((client) => client.ping());
  }

  async disconnect(): Promise<void> {
    this.connection.disconnect();
  }

  private run<T>(script: SessionScript, args: (string | number)[], parse: (reply: unknown) => T): Promise<T> {
    return this.connection.run(async (client) => parse(await (client as ScriptedClient)[script](this.prefix, ...args)));
  }
}
