import { Injectable } from '@nestjs/common';
import { normalizeIp } from '@nestjs/throttler';
import { FixedWindows } from '@sandbox/counters';

const MAX_ATTEMPTS = 60;
const WINDOW_MS = 60_000;

/**
 * Counts wrong credentials by the address from which they come. An IPv6 address counts by its /64,
 * because that is what one customer gets. The address is the socket's, since anybody can write
 * X-Forwarded-For. So a proxy in front is one client here. A good credential always passes: users
 * behind one address do not shut each other out.
 */
@Injectable()
export class FailedAttempts {
  private readonly attempts = new FixedWindows(WINDOW_MS);

  /** Whether the address has used up its attempts. Asking counts nothing. */
  isBlocked(address: string | undefined): boolean {
    return this.attempts.hitsOf(normalizeIp(address ?? '')) > MAX_ATTEMPTS;
  }

  /**
   * Counts one attempt.
   * @returns the seconds to wait if the address has used up its attempts, else null
   */
  noteFailure(address: string | undefined): number | null {
    const { hits, remainingMs } = this.attempts.hit(normalizeIp(address ?? ''));
    return hits > MAX_ATTEMPTS ? Math.ceil(remainingMs / 1000) : null;
  }
}
