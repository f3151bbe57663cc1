import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import type { AuthenticatedRequest } from '../../auth/authenticated-request';
import { AdmittedBy } from '../../auth/admitted-by.decorator';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { validateDto } from '../../validation/validate-dto';
import { SandboxAdmission, sandboxOf } from './sandbox-admission';

/** The sandbox that a call is for. */
export interface SandboxCall {
  /** Enters sessions that are there, and makes none. */
  readonly user: User;
  readonly sessionId: string;
}

/** Marks the controllers of calls to a sandbox. They take the token that its creation answered. */
export function SandboxPlane(): ClassDecorator {
  return AdmittedBy(SandboxAdmission);
}

/** The sandbox that the request's headers name. */
export const CalledSandbox = createParamDecorator((_data: unknown, context: ExecutionContext): SandboxCall => {
  return calledSandbox(context.switchToHttp().getRequest<AuthenticatedRequest>());
});

function calledSandbox(request: AuthenticatedRequest): SandboxCall {
  const id = sandboxOf(request);
  if (id === undefined) throw new SandboxError(ErrorCode.BAD_REQUEST, 'The header E2b-Sandbox-Id has to name one sandbox.');
  const { session_id } = validateDto(SessionIdDto, { session_id: id });
  return liveCall(request.user, session_id);
}

/** A call for a session that has to be there. */
export function liveCall(user: User, sessionId: string): SandboxCall {
  return { user: { ...user, onlyLive: true }, sessionId };
}
