import { Logger } from '@nestjs/common';
import { ErrorCode, type SandboxError } from '@sandbox/errors';

const logger = new Logger('Errors');

/** Logs a failure that is not the client's, with the whole chain of its causes, which goes to nobody else. */
export function logFailure(error: SandboxError): void {
  if (error.status < 500) return;
  if (error.code === ErrorCode.INTERNAL_ERROR) logger.error({ msg: 'unexpected error', err: error.cause });
  else logger.warn({ msg: error.message, code: error.code, err: error.cause });
}
