import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SESSION_STORE, type OneTimeTexts } from '@sandbox/sessions';
import type { Identity } from '../auth/identity';

const LIFETIME_MS = 30_000;

/**
 * Gives tickets to browsers, which can send no header with a WebSocket. A ticket stands for its
 * user's credential once, in one session, for 30 s.
 */
@Injectable()
export class TerminalTickets {
  constructor(@Inject(SESSION_STORE) private readonly store: OneTimeTexts) {}

  async issue({ user, expiresAt }: Identity, sessionId: string): Promise<string> {
    const ticket = randomBytes(24).toString('base64url');
    await this.store.putOnce(nameOf(ticket), JSON.stringify([user.id, sessionId, expiresAt]), LIFETIME_MS);
    return ticket;
  }

  /** @returns null for a ticket that is unknown, used, over, or for another session */
  async redeem(ticket: string, sessionId: string): Promise<Identity | null> {
    const issued = await this.store.takeOnce(nameOf(ticket));
    if (issued === null) return null;
    const [id, session, expiresAt] = JSON.parse(issued) as [string, string, number | null];
    return session === sessionId ? { user: { id }, expiresAt } : null;
  }
}

/** The store holds a digest, so that nobody who reads the store can use a ticket. */
function nameOf(ticket: string): string {
  return `ticket:${createHash('sha256').update(ticket).digest('hex')}`;
}
