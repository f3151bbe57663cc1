import { createHash } from 'node:crypto';
import type { Allowance } from './request-counts';

/** The caller of the API. */
export interface User {
  /**
   * `jwt:<subject>` or `key:<sha256 of the whole API key>`. The prefixes keep the two name spaces
   * apart, so a key's user never equals a token's user.
   */
  readonly id: string;
  /** The id of the request that the user makes. Only the log uses it. */
  readonly requestId?: string;
  /** Present if it is not known yet whether the request is within the user's budget. */
  readonly allowance?: Allowance;
  /** The user's calls enter sessions that are there, and make none. */
  readonly onlyLive?: boolean;
}

/** A session as its owner names it, with everything that the service derives from that name. */
export interface SessionRef {
  readonly userId: string;
  readonly sessionId: string;
  /**
   * SHA-256 of (deployment, user, session id), 64 hex digits. The store key, the container's name
   * and the volume's name come from it.
   */
  readonly key: string;
  /** SHA-256 of (deployment, user), 64 hex digits. */
  readonly userKey: string;
  /** That of the request, if it has one. It has no part in the name. */
  readonly allowance?: Allowance;
  /** That of the user. It has no part in the name. */
  readonly onlyLive?: boolean;
}

/**
 * Hashes a list of parts. Two different lists never hash the same bytes, because the length of each
 * part precedes it.
 *
 * Parts are hashed as UTF-16, which every JavaScript string has. In UTF-8, all lone surrogates
 * (JSON can carry them) would become one and the same replacement character.
 */
function digest(...parts: string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf16le');
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

/**
 * Returns the user that owns an API key. The id holds a hash, so that the key itself never reaches
 * a log or the store.
 */
export function userFromApiKey(apiKey: string): User {
  return { id: `key:${createHash('sha256').update(apiKey, 'utf8').digest('hex')}` };
}

/** Returns the user that a JWT names. */
export function userFromJwtSubject(subject: string): User {
  return { id: `jwt:${subject}` };
}

/**
 * Derives a session's keys from the deployment, its user and its name.
 * @param sessionId any text, kept unchanged
 */
export function sessionRef(deployment: string, user: User, sessionId: string): SessionRef {
  return {
    userId: user.id,
    sessionId,
    key: digest(deployment, 'session', user.id, sessionId),
    userKey: digest(deployment, 'user', user.id),
    ...(user.allowance && { allowance: user.allowance }),
    ...(user.onlyLive && { onlyLive: true }),
  };
}
