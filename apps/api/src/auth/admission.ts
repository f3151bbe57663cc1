import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { Authenticator } from './authenticator';
import { FailedAttempts } from './failed-attempts';
import type { Identity } from './identity';

/** Lets in callers with a valid credential. */
@Injectable()
export class Admission {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly failedAttempts: FailedAttempts,
  ) {}

  /**
   * Authenticates a request.
   * @throws SandboxError UNAUTHORIZED, with the same answer whatever is wrong; RATE_LIMITED after
   *   too many failed attempts
   */
  async admit(request: IncomingMessage): Promise<Identity> {
    const result = await this.authenticator.authenticate(request);
    if (result.user !== null) return result;
    throw this.refusal(request, result.presented);
  }

  /** The challenges for WWW-Authenticate. */
  get challenges(): readonly string[] {
    return this.authenticator.challenges;
  }

  /**
   * Makes the error for a request without a valid credential, and counts the attempt.
   * @param presented whether the request has a credential. One without any is no attempt to guess
   *   one.
   */
  refusal(request: IncomingMessage, presented: boolean): SandboxError {
    const retryAfter = presented ? this.failedAttempts.noteFailure(request.socket.remoteAddress) : null;
    if (retryAfter === null) return new SandboxError(ErrorCode.UNAUTHORIZED, 'A valid credential is needed.');
    return new SandboxError(ErrorCode.RATE_LIMITED, 'Too many failed attempts to authenticate from this address.', { retryAfter });
  }
}
