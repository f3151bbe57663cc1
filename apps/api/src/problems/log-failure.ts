import { Logger } from '@nestjs/common';
import { ErrorCode, type SandboxError } from '@sandbox/errors';

const logger = new Logger('Errors');

/**
 * Logs a failure that is not the client's fault, with the whole chain of its causes. Clients never
 * see the causes. A call that this server does not have is none.
 */
export function logFailure(error: SandboxError, request_id: string): void {
  if (error.status < 500 || error.code === ErrorCode.NOT_SUPPORTED) return;
  if (error.code === ErrorCode.INTERNAL_ERROR) logger.error({ msg: 'unexpected error', request_id, err: error.cause });
  else logger.warn({ msg: error.message, request_id, code: error.code, err: error.cause });
}
