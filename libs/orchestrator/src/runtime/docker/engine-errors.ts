import { ErrorCode, SandboxError } from '@sandbox/errors';
import { isObject } from '@sandbox/text';
import { DeadlineError } from '../deadline';

/** When a caller may try again. */
const RETRY_AFTER_SECONDS = 2;

/** Returns the HTTP status of the engine's answer, or null for an error of another kind. */
export function engineStatus(error: unknown): number | null {
  const status = isObject(error) && 'statusCode' in error ? error.statusCode : null;
  return typeof status === 'number' ? status : null;
}

/**
 * Turns an error that no caller handles into one for clients. The engine's own words stay in
 * `cause`, since they name paths of the host.
 */
export function toSandboxError(error: unknown): SandboxError {
  if (error instanceof SandboxError) return error;
  const status = engineStatus(error);
  const unavailable = status === null ? isTransportError(error) : status >= 500;
  if (!unavailable) return new SandboxError(ErrorCode.INTERNAL_ERROR, 'The container engine refused a request.', { cause: error });
  return new SandboxError(ErrorCode.RUNTIME_UNAVAILABLE, 'The container engine does not answer.', {
    cause: error,
    retryAfter: RETRY_AFTER_SECONDS,
  });
}

/**
 * Errors of sockets, DNS, TLS and HTTP parsing carry a `code`. An error in our own code does not.
 */
function isTransportError(error: unknown): boolean {
  return error instanceof DeadlineError || (isObject(error) && 'code' in error);
}

export function sandboxLost(cause: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox is not running.', { cause });
}

export function imageMissing(image: string, cause: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, `The sandbox image ${image} is not on the container engine.`, { cause });
}

export function imageWithoutShell(image: string, cause: unknown): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_IMAGE_UNUSABLE, `The sandbox image ${image} has no sh that can be run.`, { cause });
}

export function notOurs(what: 'container' | 'volume'): SandboxError {
  return new SandboxError(ErrorCode.INTERNAL_ERROR, `The name of this session's ${what} is taken by one that is not ours.`);
}
