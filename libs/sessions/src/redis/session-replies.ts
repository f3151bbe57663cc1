import type { Window } from '@sandbox/counters';
import type { RequestClaim } from '../repeatable-requests';
import { sessionRef, type SessionRef } from '../session-identity';
import { parseMetadata, parseNetwork, parseOptions } from '../session-options';
import type { AttachResult, BeginResult, JobRecord, Limit, SessionRecord } from '../session-store';

/** Reads the answers of the scripts strictly, because another program may have written to Redis. */

/** The settings that a reader of replies needs. */
export interface ReplyContext {
  readonly deployment: string;
  /** The time to live of sessions that have none of their own. */
  readonly ttlMs: number;
  readonly limits: Readonly<Record<Limit['name'], number>>;
}

/** @returns the record; null if it is missing, damaged or belongs to another key */
export function parseRecord({ deployment, ttlMs }: ReplyContext, key: string, reply: unknown): SessionRecord | null {
  if (!isTexts(reply) || reply.length !== 13) return null;
  const [refText, generation, containerId, image, created, used, options, ttl, metadata, restarted, start, network, expires] = reply as [
    string,
    ...string[],
  ];
  const ref = parseRef(deployment, refText);
  const [createdAt, lastUsedAt, expiresAt] = [created, used, expires].map(parseMs);
  if (ref?.key !== key || !generation || createdAt == null || lastUsedAt == null || expiresAt == null) return null;
  return {
    ref,
    generation,
    containerId: containerId || null,
    image: image || null,
    startId: parseStart(containerId ?? '', start ?? ''),
    options: options ? parseOptions(options) : null,
    ttlMs: parseMs(ttl) ?? ttlMs,
    metadata: parseMetadata(metadata ?? ''),
    network: parseNetwork(network ?? ''),
    restarted: restarted === '1',
    createdAt,
    lastUsedAt,
    expiresAt,
  };
}

/** @throws Error if the reply is none that the script gives */
export function parseBegin(context: ReplyContext, key: string, reply: unknown): BeginResult {
  const [state, second, fields] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (state === 'full' && isLimit(context, second)) return { state, limit: { name: second, max: context.limits[second] } };
  if (state === 'absent') return { state };
  const until = parseMs(second);
  if (state === 'closing' && until !== null) return { state, until };
  const record = parseRecord(context, key, fields);
  if (state === 'live' && record) return { state, record, created: second === 1 };
  throw unexpected();
}

/** @throws Error if the reply is none that the script gives */
export function parseWindow(reply: unknown): Window {
  const [hits, remainingMs] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (!Number.isInteger(hits) || !Number.isInteger(remainingMs)) throw unexpected();
  return { hits: hits as number, remainingMs: remainingMs as number };
}

export function parseAttach(reply: unknown): AttachResult {
  const [state, restarted, created] = parseTexts(reply);
  return state === 'live' ? { live: true, restarted: restarted === '1', created: created === '1' } : { live: false };
}

/** @returns records, oldest first, without the damaged ones */
export function parseRecords(context: ReplyContext, reply: unknown): SessionRecord[] {
  if (!Array.isArray(reply)) throw unexpected();
  return reply
    .map((pair: unknown) => (Array.isArray(pair) && typeof pair[0] === 'string' ? parseRecord(context, pair[0], pair[1]) : null))
    .filter((record) => record !== null)
    .sort((a, b) => a.createdAt - b.createdAt);
}

/**
 * Merges two lists, in which keys and times alternate.
 * @returns keys, earliest time first
 */
export function parseExpired(reply: unknown, limit: number): string[] {
  if (!Array.isArray(reply)) throw unexpected();
  const entries = reply.flatMap((list: unknown) => pairs(parseTexts(list)));
  return entries
    .sort((a, b) => a.time - b.time)
    .slice(0, limit)
    .map(({ key }) => key);
}

export function parseJobAdded(reply: unknown): 'added' | 'full' | 'moved' {
  if (reply === 'added' || reply === 'full' || reply === 'moved') return reply;
  throw unexpected();
}

export function formatJob({ jobId, containerId, startId, command, startedAt, deadline }: JobRecord): string {
  return JSON.stringify([jobId, containerId, command, startedAt, deadline, startId]);
}

/** @returns jobs, oldest first, without the damaged ones */
export function parseJobs(reply: unknown): JobRecord[] {
  return parseTexts(reply)
    .map(parseJob)
    .filter((job) => job !== null)
    .sort((a, b) => a.startedAt - b.startedAt);
}

/** @returns null if the session is gone, or a later one */
export function parseNetworkBytes(reply: unknown): number | null {
  if (reply === '') return null;
  const bytes = parseMs(reply);
  if (bytes === null) throw unexpected();
  return bytes;
}

/** @throws Error if the reply is none that the script gives */
export function parseNetworkRead(reply: unknown): { events: string[]; bytes: number } {
  const [bytes, events] = Array.isArray(reply) ? (reply as unknown[]) : [];
  return { events: parseTexts(events), bytes: parseMs(bytes) ?? 0 };
}

/** @throws Error if the reply is none that the script gives */
export function parseClaim(reply: unknown): RequestClaim {
  const [state, second, body = null] = parseTexts(reply);
  if (state === 'claimed' || state === 'running' || state === 'unknown' || state === 'differs') return { state };
  const number = parseMs(second);
  if (state === 'answered' && number !== null) return { state, answer: { status: number, body } };
  if (state === 'full' && number !== null) return { state, until: number };
  throw unexpected();
}

export function parseTexts(reply: unknown): string[] {
  if (!isTexts(reply)) throw unexpected();
  return reply;
}

/**
 * Writes a session's two names as JSON, which keeps every UTF-16 code unit. JSON escapes the
 * surrogates that UTF-8 cannot carry.
 */
export function formatRef({ userId, sessionId }: SessionRef): string {
  return JSON.stringify([userId, sessionId]);
}

function parseJob(text: string): JobRecord | null {
  const value = parseJson(text);
  if (!Array.isArray(value)) return null;
  const [jobId, containerId, command, startedAt, deadline, startId] = value as unknown[];
  if (!isTexts([jobId, containerId, command]) || !Number.isSafeInteger(startedAt) || !Number.isSafeInteger(deadline)) return null;
  return { jobId, containerId, startId: typeof startId === 'string' ? startId : null, command, startedAt, deadline } as JobRecord;
}

/**
 * Reads the start of a container. It counts only for the container noted with it: an older version
 * notes a new container but leaves the start of the one before.
 */
function parseStart(containerId: string, start: string): string | null {
  const of = `${containerId}@`;
  return containerId !== '' && start.startsWith(of) ? start.slice(of.length) : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function parseRef(deployment: string, text: string): SessionRef | null {
  const value = parseJson(text);
  if (!isTexts(value) || value.length !== 2) return null;
  const [id, sessionId] = value as [string, string];
  return sessionRef(deployment, { id }, sessionId);
}

function pairs(texts: string[]): { key: string; time: number }[] {
  const entries: { key: string; time: number }[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) entries.push({ key: texts[i]!, time: Number(texts[i + 1]) });
  return entries;
}

function parseMs(value: unknown): number | null {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null;
}

function isLimit({ limits }: ReplyContext, value: unknown): value is Limit['name'] {
  return typeof value === 'string' && Object.hasOwn(limits, value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function unexpected(): Error {
  return new Error('Unexpected reply of a session script');
}
