import { randomUUID } from 'node:crypto';
import { type ExecutionContext, Injectable } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler';
import { Allowance } from '@sandbox/sessions';
import type { Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { isPublic } from '../auth/public.decorator';
import { tellBudget } from './budget';
import { ENTERS_SESSION } from './enters-session.decorator';
import { rateLimited } from './rate-limited';
import type { StoreRateLimitStorage } from './store-rate-limit.storage';

/** A longer body is not read before it is known that the request is within the budget. */
const SHORT_BODY_BYTES = 64 * 1024;

/**
 * Gives each user one budget over all routes. It runs after AuthGuard, which finds the user.
 *
 * Where the handler enters a session (EntersSession), the guard lets the request go on while the
 * store counts it. The answer waits for the count in any case.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  declare protected readonly storageService: StoreRateLimitStorage;

  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return isPublic(this.reflector, context);
  }

  protected override async handleRequest({ context, limit, ttl }: ThrottlerRequest): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const goesOn = this.reflector.get<boolean | undefined>(ENTERS_SESSION, context.getHandler()) === true && hasShortBody(request);
    const requestId = goesOn ? randomUUID() : undefined;
    const granted = this.countRequest(request.user.id, http.getResponse<Response>(), { limit, ttl, requestId });
    if (requestId === undefined) await granted;
    else request.user = { ...request.user, allowance: new Allowance(requestId, granted) };
    return true;
  }

  /** @throws SandboxError RATE_LIMITED, STORE_UNAVAILABLE */
  private async countRequest(
    userId: string,
    response: Response,
    { limit, ttl, requestId }: { limit: number; ttl: number; requestId: string | undefined },
  ): Promise<void> {
    const { totalHits, timeToExpire, isBlocked } = await this.storageService.countRequest(userId, ttl, limit, requestId);
    tellBudget(response, { limit, left: Math.max(0, limit - totalHits), reset: timeToExpire });
    if (isBlocked) throw rateLimited(limit, ttl / 1000, timeToExpire);
  }
}

function hasShortBody({ headers }: AuthenticatedRequest): boolean {
  if (headers['transfer-encoding'] !== undefined) return false;
  return Number(headers['content-length'] ?? 0) <= SHORT_BODY_BYTES;
}
