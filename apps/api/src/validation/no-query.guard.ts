import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { firstCharacters } from '@sandbox/text';
import type { Request } from 'express';
import { validationFailed } from './validate-dto';

/**
 * Refuses query parameters, for handlers that take none. They would be ignored silently otherwise.
 */
@Injectable()
export class NoQueryGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const names = Object.keys(context.switchToHttp().getRequest<Request>().query);
    if (names.length > 0)
      throw validationFailed(
        names.slice(0, 20).map((name) => ({ field: firstCharacters(name, 100), message: 'is not a known parameter' })),
      );
    return true;
  }
}
