import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ModuleRef, Reflector } from '@nestjs/core';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Response } from 'express';
import { Admission } from './admission';
import { admittedBy, type Admitting } from './admitted-by.decorator';
import type { AuthenticatedRequest } from './authenticated-request';
import { isPublic } from './public.decorator';

/** Requires a valid credential on every route that is not marked as public. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly admission: Admission,
    private readonly modules: ModuleRef,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublic(this.reflector, context)) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    try {
      const { user, expiresAt } = await this.admitting(context).admit(request);
      request.user = { ...user, requestId: request.id };
      request.credentialExpiresAt = expiresAt;
      return true;
    } catch (error) {
      if (error instanceof SandboxError && error.code === ErrorCode.UNAUTHORIZED) {
        http.getResponse<Response>().setHeader('WWW-Authenticate', this.admission.challenges);
      }
      throw error;
    }
  }

  private admitting(context: ExecutionContext): Admitting {
    const type = admittedBy(this.reflector, context);
    return type === undefined ? this.admission : this.modules.get(type, { strict: false });
  }
}
