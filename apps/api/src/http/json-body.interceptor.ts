import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { readJson } from './json-body';

const STREAMED_BODY = Symbol('StreamedBody');
const METHODS_WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

/** The handler reads the body itself. */
export const StreamedBody = (): MethodDecorator => SetMetadata(STREAMED_BODY, true);

/** Reads JSON bodies once the guards have let a request in: a stranger makes the service read nothing. */
@Injectable()
export class JsonBodyInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<Request>();
    const streamed = this.reflector.get<boolean | undefined>(STREAMED_BODY, context.getHandler());
    if (!streamed && METHODS_WITH_BODY.includes(request.method)) request.body = await readJson(request);
    return next.handle();
  }
}
