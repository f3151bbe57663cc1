import { createHash } from 'node:crypto';

/** The caller. */
export interface User {
  /**
   * `jwt:<subject>` or `key:<sha256 of the whole API key>`. The prefixes keep the two name spaces
   * apart.
   */
  readonly id: string;
  /** The id of the request in which the user calls. It is for the log alone. */
  readonly requestId?: string;
}

/** A session as its owner names it, with everything that is derived from that name. */
export interface SessionRef {
  readonly userId: string;
  readonly sessionId: string;
  /**
   * SHA-256 of (deployment, user, session id), 64 hex digits. The store key and the names of
   * container and volume come from it.
   */
  readonly key: string;
  /** SHA-256 of (deployment, user), 64 hex digits. */
  readonly userKey: string;
}

/**
 * Hashes a list of parts so that two different lists never give the same input. Each part follows
 * its length, and is taken as UTF-16, which every JavaScript string has. UTF-8 would turn all lone
 * surrogates, which JSON can carry, into one replacement character.
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
