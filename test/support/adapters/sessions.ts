import { randomUUID } from 'node:crypto';
import { type Config, loadConfig } from '@sandbox/config';
import { type AttachedSandbox, type BeginResult, type CallHold, sessionRef, type SessionRef, type SessionStore } from '@sandbox/sessions';

/** Makes sessions for tests of a store. The tests say what time it is. */

export const DEPLOYMENT = 'store-spec';
/** In milliseconds. */
export const TTL = 600_000;
export const SECOND = 1_000;
export const NOW = Date.now();

export function storeConfig(kind: 'memory' | 'redis', redisPort: number, more: Record<string, string> = {}): Config {
  const env = {
    SESSION_STORE: kind,
    DEPLOYMENT,
    SESSION_TTL_SECONDS: String(TTL / 1000),
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(redisPort),
    MAX_SESSIONS: '100000',
    MAX_SESSIONS_PER_USER: '100000',
    ...more,
  };
  return loadConfig(env, { needsAuth: false });
}

export function someRef(userId = `jwt:${randomUUID()}`, sessionId = 'work'): SessionRef {
  return sessionRef(DEPLOYMENT, { id: userId }, sessionId);
}

export function call(deadline = NOW): CallHold {
  return { callId: randomUUID(), deadline };
}

/** Opens a call in a session, which has to be live. */
export async function enter(store: SessionStore, ref: SessionRef, hold = call(), now = NOW): Promise<BeginResult & { state: 'live' }> {
  const result = await store.beginCall(ref, hold, now);
  if (result.state !== 'live') throw new Error(`the session is ${result.state}`);
  return result;
}

/** Returns a sandbox to attach. It is one that existed before, unless the test says otherwise. */
export function sandbox(containerId: string, more: Partial<AttachedSandbox> = {}): AttachedSandbox {
  return { containerId, startId: 's1', origin: 'found', image: 'i', ...more };
}

/**
 * Begins and ends a call in a sandbox, so that the session exists and is idle since `now`.
 * @returns the session's generation
 */
export async function idle(store: SessionStore, ref: SessionRef, now = NOW): Promise<string> {
  const hold = call(now);
  const { record } = await enter(store, ref, hold, now);
  await store.attachSandbox(ref.key, record.generation, sandbox('c0'));
  await store.endCall(ref.key, record.generation, hold.callId, now);
  return record.generation;
}
