import type { IncomingMessage } from 'node:http';
import { type CustomDecorator, type ExecutionContext, SetMetadata, type Type } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { Identity } from './identity';

/** Lets callers in, in place of Admission. */
export interface Admitting {
  /** @throws SandboxError UNAUTHORIZED, RATE_LIMITED */
  admit(request: IncomingMessage): Promise<Identity>;
}

const ADMITTED_BY = Symbol('AdmittedBy');

/** Marks routes whose callers have another kind of credential. A provider of this type decides. */
export const AdmittedBy = (type: Type<Admitting>): CustomDecorator<symbol> => SetMetadata(ADMITTED_BY, type);

export function admittedBy(reflector: Reflector, context: ExecutionContext): Type<Admitting> | undefined {
  return reflector.getAllAndOverride<Type<Admitting> | undefined>(ADMITTED_BY, [context.getHandler(), context.getClass()]);
}
