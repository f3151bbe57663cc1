import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { FailedAttempts } from '../auth/failed-attempts';
import { hasFormOfJwt } from '../auth/bearer-tokens';
import { bearerOf } from '../proxying/own-credentials';

/** How many credentials of programs are remembered. */
const MAX_REMEMBERED = 10_000;

/**
 * Bounds how many API keys can be tried by a preview. Its program does not get a key of this API,
 * and gets any other token. So it tells which tokens are keys, as a login does. Each token that is
 * none counts as a failed attempt of its address, once: programs have tokens of their own.
 */
@Injectable()
export class GuessedKeys {
  /** Digests of tokens that have been counted, by address. The one used last comes last. */
  private readonly counted = new Set<string>();

  constructor(private readonly failedAttempts: FailedAttempts) {}

  /**
   * Counts the tokens of a request to a preview. Call it for none with a credential of this API.
   * @throws SandboxError RATE_LIMITED if the address has tried too many
   */
  count({ headersDistinct, socket: { remoteAddress } }: Pick<IncomingMessage, 'headersDistinct' | 'socket'>): void {
    for (const authorization of headersDistinct.authorization ?? []) {
      const token = bearerOf(authorization);
      // Nobody finds the signature of a JWT by trying.
      if (token === undefined || hasFormOfJwt(token)) continue;
      const digest = createHash('sha256').update(`${remoteAddress} ${token}`).digest('base64');
      if (!this.counted.delete(digest)) this.countNew(remoteAddress);
      this.counted.add(digest);
      for (const oldest of this.counted) {
        if (this.counted.size <= MAX_REMEMBERED) break;
        this.counted.delete(oldest);
      }
    }
  }

  private countNew(address: string | undefined): void {
    const retryAfter = this.failedAttempts.noteFailure(address);
    if (retryAfter === null) return;
    throw new SandboxError(ErrorCode.RATE_LIMITED, 'Too many different Bearer tokens from this address.', { retryAfter });
  }
}
