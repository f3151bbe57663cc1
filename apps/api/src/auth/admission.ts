import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { Authenticator } from './authenticator';
import { FailedAttempts } from './failed-attempts';
import type { Identity } from './identity';

/** Lets in whoever has a valid credential. */
@Injectable()
export class Admission {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly failedAttempts: FailedAttempts,
  ) {}

  /** @throws SandboxError UNAUTHORIZED, with one answer for everything that can be wrong; RATE_LIMITED past too many attempts */
  async admit(request: IncomingMessage): Promise<Identity> {
    const result = await this.authenticator.authenticate(request);
    if (result.user !== null) return result;
    throw this.refusal(request, result.presented);
  }

  /** For WWW-Authenticate. */
  get challenges(): readonly string[] {
    return this.authenticator.challenges;
  }

  /** @param presented a request without any credential is no attempt at guessing one */
  refusal(request: IncomingMessage, presented: boolean): SandboxError {
    const retryAfter = presented ? this.failedAttempts.add(request.socket.remoteAddress) : null;
    if (retryAfter === null) return new SandboxError(ErrorCode.UNAUTHORIZED, 'A valid credential is needed.');
    return new SandboxError(ErrorCode.RATE_LIMITED, 'Too many failed attempts to authenticate from this address.', { retryAfter });
  }
}
