import { type ExecutionContext, Injectable } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerLimitDetail } from '@nestjs/throttler';
import type { Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { isPublic } from '../auth/public.decorator';
import { rateLimited } from './rate-limited';

/** Gives each user one budget over all routes. It runs after AuthGuard, which finds the user. */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override headerPrefix = 'RateLimit';

  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return isPublic(this.reflector, context);
  }

  protected override async getTracker(request: AuthenticatedRequest): Promise<string> {
    return request.user.id;
  }

  protected override generateKey(_context: ExecutionContext, userId: string): string {
    return userId;
  }

  protected override async throwThrottlingException(context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<void> {
    const response = context.switchToHttp().getResponse<Response>();
    response.setHeader('RateLimit-Limit', String(detail.limit));
    response.setHeader('RateLimit-Remaining', '0');
    response.setHeader('RateLimit-Reset', String(detail.timeToExpire));
    throw rateLimited(detail.limit, detail.ttl / 1000, detail.timeToExpire);
  }
}
