import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { firstCharacters } from '@sandbox/text';
import type { Request } from 'express';
import { validationFailed } from './validate-dto';

/** For handlers that take no query parameter: one that is given would be ignored without a word. */
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
