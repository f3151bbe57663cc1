import { HttpException } from '@nestjs/common';
import { ERROR_TITLE, ErrorCode, type FieldError, SandboxError } from '@sandbox/errors';

/** RFC 9457. Extension members of the error stand beside these. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  request_id: string;
  errors?: FieldError[];
  [extension: string]: unknown;
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** What a client is told of any failure. Nothing of an unexpected one shows. */
export function toProblem(exception: unknown, requestId: string): Problem {
  const error = toSandboxError(exception);
  return {
    ...error.extensions,
    type: problemType(error.code),
    title: ERROR_TITLE[error.code],
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors && { errors: error.errors }),
  };
}

/** A name, not an address: stable as long as the code is. */
export function problemType(code: ErrorCode): string {
  return `urn:sandbox-api:error:${code}`;
}

export function toSandboxError(exception: unknown): SandboxError {
  if (exception instanceof SandboxError) return exception;
  switch (clientErrorStatus(exception)) {
    case 400:
      return new SandboxError(ErrorCode.BAD_REQUEST, 'The request could not be read: check the encoding of its URL.', { cause: exception });
    case 404:
      return new SandboxError(ErrorCode.NOT_FOUND, 'There is nothing at this address.', { cause: exception });
    default:
      return new SandboxError(ErrorCode.INTERNAL_ERROR, 'Something went wrong; the log has more under this request id.', {
        cause: exception,
      });
  }
}

/** Nest and Express raise these two themselves: for an address they cannot decode, and for one that leads nowhere. */
function clientErrorStatus(exception: unknown): number | undefined {
  if (exception instanceof HttpException) return exception.getStatus();
  // Of http-errors, which mark with `expose` those that are the client's.
  const { status, expose } = (exception ?? {}) as { status?: unknown; expose?: unknown };
  return expose === true && typeof status === 'number' ? status : undefined;
}
