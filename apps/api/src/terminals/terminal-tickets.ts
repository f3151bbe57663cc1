import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import type { Identity } from '../auth/identity';

const LIFETIME_MS = 30_000;

/** For browsers, which can give a WebSocket no header: a ticket stands for its bearer's credential in one session, once, for 30 s. */
@Injectable()
export class TerminalTickets {
  constructor(@Inject(SESSION_STORE) private readonly store: SessionStore) {}

  async issue({ user, expiresAt }: Identity, sessionId: string): Promise<string> {
    const ticket = randomBytes(24).toString('base64url');
    await this.store.putOnce(nameOf(ticket), JSON.stringify([user.id, sessionId, expiresAt]), LIFETIME_MS);
    return ticket;
  }

  /** Null for one that was never issued, is used or over, or is for another session. */
  async redeem(ticket: string, sessionId: string): Promise<Identity | null> {
    const issued = await this.store.takeOnce(nameOf(ticket));
    if (issued === null) return null;
    const [id, session, expiresAt] = JSON.parse(issued) as [string, string, number | null];
    return session === sessionId ? { user: { id }, expiresAt } : null;
  }
}

/** The store shows nobody a ticket that could still be used. */
function nameOf(ticket: string): string {
  return `ticket:${createHash('sha256').update(ticket).digest('hex')}`;
}
