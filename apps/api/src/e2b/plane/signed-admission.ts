import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { type OwnedSession, SessionsService } from '@sandbox/orchestrator';
import { Admission } from '../../auth/admission';
import type { Admitting } from '../../auth/admitted-by.decorator';
import { FailedAttempts } from '../../auth/failed-attempts';
import type { Identity } from '../../auth/identity';
import { SessionTokens } from '../../auth/session-tokens';
import { parseQuery } from '../../request/query-parser';
import { digestIn, isOver, isSignedWith, type SignedFile } from './url-signature';

/** The sandbox that a signed address turned out to be for. */
const sandboxes = new WeakMap<IncomingMessage, string>();

/** @returns the session that the signature of the request is for, once the request was let in */
export function signedSandbox(request: IncomingMessage): string {
  return sandboxes.get(request)!;
}

/**
 * Lets in who has a signed address of a file. The address names no sandbox, so this looks for the
 * live session with whose token the signature was made. It does so for sandboxes of API keys alone,
 * because the tokens of JWTs are not known again.
 *
 * A stranger can make it look in vain. So an address that has failed too often is refused before.
 */
@Injectable()
export class SignedAdmission implements Admitting {
  /** The question to the store that was put last. */
  private asked: Promise<unknown> = Promise.resolve();
  /** The question that waits for it, for all who come meanwhile. */
  private waiting: Promise<OwnedSession[]> | null = null;

  constructor(
    private readonly sessions: SessionsService,
    private readonly tokens: SessionTokens,
    private readonly admission: Admission,
    private readonly failedAttempts: FailedAttempts,
  ) {}

  async admit(request: IncomingMessage): Promise<Identity> {
    const { signature, signature_expiration, path = '', username = '' } = textsOf(request);
    const digest = digestIn(signature);
    const operation = request.method === 'POST' ? 'write' : 'read';
    const file: SignedFile = { operation, path, username, expiration: signature_expiration };
    const isWorthLooking = digest !== null && !isOver(file, Date.now()) && !this.failedAttempts.isBlocked(request.socket.remoteAddress);
    const found = isWorthLooking ? await this.findSandbox(digest, file) : undefined;
    if (found === undefined) throw this.admission.refusal(request, signature !== undefined);
    sandboxes.set(request, found.sessionId);
    return { user: found.user, expiresAt: null };
  }

  private async findSandbox(digest: Buffer, file: SignedFile): Promise<OwnedSession | undefined> {
    const live = await this.liveSessions();
    return live.find(({ user, sessionId }) => {
      const token = this.tokens.tokenOfKey(user, sessionId);
      return token !== null && isSignedWith(digest, file, token);
    });
  }

  /** Puts one question to the store at a time. An answer is never older than who asked for it. */
  private liveSessions(): Promise<OwnedSession[]> {
    if (this.waiting !== null) return this.waiting;
    const ask = (): Promise<OwnedSession[]> => {
      this.waiting = null;
      return this.sessions.listOwned();
    };
    const waiting = this.asked.then(ask, ask);
    this.waiting = waiting;
    this.asked = waiting;
    return waiting;
  }
}

/** The parameters of the address that stand in it once. */
function textsOf({ url = '' }: IncomingMessage): Record<string, string | undefined> {
  const entries = Object.entries(parseQuery(url.split('?', 2)[1]));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
