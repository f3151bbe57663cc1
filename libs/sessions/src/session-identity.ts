import { createHash } from 'node:crypto';

/** Who calls: `jwt:<subject>` or `key:<sha256 of the whole API key>`. The prefixes keep the two name spaces apart. */
export interface User {
  readonly id: string;
  /** Of the request in which they call, for the log; nothing else follows from it. */
  readonly requestId?: string;
}

/** A session as its owner names it, with everything derived from that. */
export interface SessionRef {
  readonly userId: string;
  readonly sessionId: string;
  /** sha256 of (deployment, user, session id), 64 hex digits: store key, container and volume name all come from it. */
  readonly key: string;
  /** sha256 of (deployment, user), 64 hex digits. */
  readonly userKey: string;
}

/**
 * Hashes parts so that no two different lists of parts give the same input: each is preceded by its length, and taken as UTF-16, which
 * any JavaScript string has (UTF-8 would make all lone surrogates, which JSON can carry, one replacement character).
 */
function digest(...parts: string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf16le');
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

export function userFromApiKey(apiKey: string): User {
  return { id: `key:${createHash('sha256').update(apiKey, 'utf8').digest('hex')}` };
}

export function userFromJwtSubject(subject: string): User {
  return { id: `jwt:${subject}` };
}

export function sessionRef(deployment: string, user: User, sessionId: string): SessionRef {
  return {
    userId: user.id,
    sessionId,
    key: digest(deployment, 'session', user.id, sessionId),
    userKey: digest(deployment, 'user', user.id),
  };
}
