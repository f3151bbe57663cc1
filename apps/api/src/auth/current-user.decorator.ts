import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { User } from '@sandbox/sessions';
import type { AuthenticatedRequest } from './authenticated-request';
import type { Identity } from './identity';

export const CurrentUser = createParamDecorator((_data: unknown, context: ExecutionContext): User => {
  return context.switchToHttp().getRequest<AuthenticatedRequest>().user;
});

export const CurrentIdentity = createParamDecorator((_data: unknown, context: ExecutionContext): Identity => {
  const { user, credentialExpiresAt } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  return { user, expiresAt: credentialExpiresAt };
});
