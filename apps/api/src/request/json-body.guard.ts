import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { readJson } from './json-body';

const STREAMED_BODY = Symbol('StreamedBody');
const METHODS_WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

/** Marks a handler that reads the body itself. */
export const StreamedBody = (): MethodDecorator => SetMetadata(STREAMED_BODY, true);

/**
 * Reads the JSON body of a request. It runs after the guards that identify the caller, so a
 * stranger cannot make the service read a body. It is a guard and not an interceptor, since Nest
 * builds a chain of observables for each request only if there is an interceptor.
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
