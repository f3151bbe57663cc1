import { SetMetadata } from '@nestjs/common';

/** The metadata that RateLimitGuard looks for. */
export const ENTERS_SESSION = Symbol('EntersSession');

/**
 * Marks a handler that changes nothing and reads nothing for the user before the call has entered
 * its session. So RateLimitGuard need not wait for the count of the request: a request over the
 * budget cannot enter (see Allowance). Anything else that the handler does for the user has to wait
 * for `user.allowance`.
 */
export const EntersSession = (): MethodDecorator => SetMetadata(ENTERS_SESSION, true);
