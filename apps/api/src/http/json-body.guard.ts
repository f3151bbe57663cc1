import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { readJson } from './json-body';

const STREAMED_BODY = Symbol('StreamedBody');
const METHODS_WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

/** The handler reads the body itself. */
export const StreamedBody = (): MethodDecorator => SetMetadata(STREAMED_BODY, true);

/**
 * Lets in what has a JSON body that can be read, once the guards before it know the caller: a stranger makes the service read nothing.
 * A guard and no interceptor: without any of those, Nest builds no chain of observables for each request.
 */
@Injectable()
export class JsonBodyGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const streamed = this.reflector.get<boolean | undefined>(STREAMED_BODY, context.getHandler());
    if (!streamed && METHODS_WITH_BODY.includes(request.method)) request.body = await readJson(request);
    return true;
  }
}
