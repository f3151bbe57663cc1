import { createHmac, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { type User, userFromApiKey } from '@sandbox/sessions';
import type { Identity } from './identity';

/** A longer token is not looked at. The longest subject of a JWT and name of a session fit. */
const MAX_TOKEN_LENGTH = 4_096;

/** The user of a token, and the one session in which it counts. */
export interface SessionIdentity extends Identity {
  readonly sessionId: string;
}

/**
 * Tokens that stand for a user in one session, so that a program gets no more than it needs. Each
 * replica can check a token, because its signature comes from the user's own secret: the API key,
 * or the secret of JWTs. A token so ends with its key, or when the JWT ends with which it was
 * asked for.
 */
@Injectable()
export class SessionTokens {
  private readonly deployment: string;
  private readonly ofKeys: ReadonlyMap<string, Buffer>;
  private readonly ofJwts: Buffer | null;

  constructor(@Inject(CONFIG) { DEPLOYMENT, API_KEYS, jwtSecret }: Pick<Config, 'DEPLOYMENT' | 'API_KEYS' | 'jwtSecret'>) {
    this.deployment = DEPLOYMENT;
    this.ofKeys = new Map(API_KEYS.map((key) => [userFromApiKey(key).id, signingKey(key)]));
    this.ofJwts = jwtSecret === null ? null : signingKey(jwtSecret);
  }

  /** Makes the token of a caller for one of the caller's sessions. It is the same each time. */
  issueToken({ user, expiresAt }: Identity, sessionId: string): string {
    const signature = this.sign(user, expiresAt, sessionId);
    if (signature === null) throw new Error('The user has no secret.');
    return `${Buffer.from(JSON.stringify([user.id, expiresAt, sessionId])).toString('base64url')}.${signature.toString('base64url')}`;
  }

  /**
   * Makes the token of a user with an API key.
   * @returns null for any other user
   */
  tokenOfKey(user: User, sessionId: string): string | null {
    return this.ofKeys.has(user.id) ? this.issueToken({ user, expiresAt: null }, sessionId) : null;
  }

  /** @returns who has the token, and for which session; null if it has expired, or is none */
  readToken(token: string): SessionIdentity | null {
    if (token.length > MAX_TOKEN_LENGTH) return null;
    const [text = '', given = ''] = token.split('.', 2);
    const claims = readClaims(text);
    const signature = claims && this.sign(claims.user, claims.expiresAt, claims.sessionId);
    if (!signature || this.isOver(claims.expiresAt)) return null;
    const presented = Buffer.from(given, 'base64url');
    return presented.length === signature.length && timingSafeEqual(presented, signature) ? claims : null;
  }

  private isOver(expiresAt: number | null): boolean {
    return expiresAt !== null && expiresAt <= Date.now();
  }

  /** @returns null if the user has no secret here (any more) */
  private sign({ id }: User, expiresAt: number | null, sessionId: string): Buffer | null {
    const key = id.startsWith('jwt:') ? this.ofJwts : (this.ofKeys.get(id) ?? null);
    // A JWT always expires, and a key never does.
    if (key === null || (expiresAt === null) === id.startsWith('jwt:')) return null;
    const text = JSON.stringify([this.deployment, id, expiresAt, sessionId]);
    return createHmac('sha256', key).update(text).digest();
  }
}

/** Derives a key for this purpose alone, so that no signature of another kind is worth anything. */
function signingKey(secret: string): Buffer {
  return createHmac('sha256', secret).update('sandbox-api session token').digest();
}

function readClaims(text: string): SessionIdentity | null {
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  const [id, expiresAt, sessionId] = Array.isArray(claims) && claims.length === 3 ? (claims as unknown[]) : [];
  if (typeof id !== 'string' || typeof sessionId !== 'string' || (expiresAt !== null && typeof expiresAt !== 'number')) return null;
  return { user: { id }, expiresAt, sessionId };
}
