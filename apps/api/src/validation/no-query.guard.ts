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
    refuseParameters(Object.keys(context.switchToHttp().getRequest<Request>().query));
    return true;
  }
}

/** @throws SandboxError VALIDATION_FAILED if there are any */
export function refuseParameters(names: readonly string[]): void {
  if (names.length === 0) return;
  throw validationFailed(names.slice(0, 20).map((name) => ({ field: firstCharacters(name, 100), message: 'is not a known parameter' })));
}
