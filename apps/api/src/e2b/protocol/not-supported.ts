import { ErrorCode, SandboxError } from '@sandbox/errors';

/** @param what begins the sentence, such as `Pausing a sandbox` */
export function notSupported(what: string): SandboxError {
  return new SandboxError(ErrorCode.NOT_SUPPORTED, `${what} is not supported by this server.`);
}
