import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { validationFailed } from './validate-dto';

/** For handlers that take no query parameter: one that is given would be ignored without a word. */
@Injectable()
export class NoQueryInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const names = Object.keys(context.switchToHttp().getRequest<Request>().query);
    if (names.length > 0)
      throw validationFailed(names.slice(0, 20).map((name) => ({ field: name.slice(0, 100), message: 'is not a known parameter' })));
    return next.handle();
  }
}
