import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Response } from 'express';
import type { AuthenticatedRequest } from './authenticated-request';
import { Authenticator } from './authenticator';
import { FailedAttempts } from './failed-attempts';
import { isPublic } from './public.decorator';

/** Lets nobody in without a valid credential, whatever the route, unless it is marked as public. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly failedAttempts: FailedAttempts,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublic(this.reflector, context)) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const result = await this.authenticator.authenticate(request);
    if (result.user === null) throw this.refusal(request, http.getResponse<Response>(), result.presented);
    request.user = result.user;
    return true;
  }

  /** One answer for everything that can be wrong. A request without any credential is no attempt at guessing one. */
  private refusal(request: AuthenticatedRequest, response: Response, presented: boolean): SandboxError {
    const retryAfter = presented ? this.failedAttempts.add(request.socket.remoteAddress) : null;
    if (retryAfter !== null) {
      return new SandboxError(ErrorCode.RATE_LIMITED, 'Too many failed attempts to authenticate from this address.', { retryAfter });
    }
    response.setHeader('WWW-Authenticate', this.authenticator.challenges);
    return new SandboxError(ErrorCode.UNAUTHORIZED, 'A valid credential is needed.');
  }
}
