import { JwtService } from '@nestjs/jwt';
import type { Config } from '@sandbox/config';
import { userFromJwtSubject } from '@sandbox/sessions';
import type { Identity } from './identity';

const CLOCK_SKEW_SECONDS = 60;
const MAX_TOKEN_LENGTH = 8 * 1024;
const MAX_SUBJECT_LENGTH = 256;

/** Verifies JWTs that are signed with the deployment's secret. */
export class BearerTokens {
  private readonly jwt: JwtService | null;

  constructor({ jwtSecret, JWT_ALGORITHM }: Pick<Config, 'jwtSecret' | 'JWT_ALGORITHM'>) {
    this.jwt =
      jwtSecret === null
        ? null
        : new JwtService({
            secret: jwtSecret,
            // Only the configured algorithm is accepted. The token's own header does not choose it.
            verifyOptions: { algorithms: [JWT_ALGORITHM], clockTolerance: CLOCK_SKEW_SECONDS },
          });
  }

  /** @returns the user of a valid token; null for any other token, whatever is wrong with it */
  async identityOf(token: string): Promise<Identity | null> {
    if (this.jwt === null || token.length > MAX_TOKEN_LENGTH) return null;
    try {
      const claims: unknown = await this.jwt.verifyAsync(token);
      return identityOfClaims(claims);
    } catch {
      return null;
    }
  }
}

/**
 * Whether a text has the form of a JWT: three parts with dots between, the first one a JSON object
 * (RFC 7519, section 7.2).
 */
export function hasFormOfJwt(text: string): boolean {
  const header = /^([\w-]+)\.[\w-]*\.[\w-]*$/.exec(text)?.[1];
  if (header === undefined) return false;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

function identityOfClaims(claims: unknown): Identity | null {
  if (typeof claims !== 'object' || claims === null) return null;
  const { exp, sub, user_id, uid } = claims as Record<string, unknown>;
  // The library checks an expiry only if there is one. A token without it would be valid for ever.
  if (typeof exp !== 'number') return null;
  const subject = sub ?? numberAsText(user_id) ?? numberAsText(uid);
  return isSubject(subject) ? { user: userFromJwtSubject(subject), expiresAt: (exp + CLOCK_SKEW_SECONDS) * 1000 } : null;
}

/**
 * Reads a number as text. Issuers that use `user_id` or `uid` often mean a row number. `sub` is a
 * string by its standard.
 */
function numberAsText(claim: unknown): unknown {
  return Number.isSafeInteger(claim) ? String(claim) : claim;
}

/**
 * Whether this may be a user's name. Lone surrogates have no UTF-8, so two subjects with different
 * ones would become one user.
 */
function isSubject(subject: unknown): subject is string {
  return typeof subject === 'string' && subject !== '' && subject.length <= MAX_SUBJECT_LENGTH && !/\p{Cs}/u.test(subject);
}
