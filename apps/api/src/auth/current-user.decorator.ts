import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { User } from '@sandbox/sessions';
import type { AuthenticatedRequest } from './authenticated-request';

export const CurrentUser = createParamDecorator((_data: unknown, context: ExecutionContext): User => {
  return context.switchToHttp().getRequest<AuthenticatedRequest>().user;
});
