import { HttpException } from '@nestjs/common';
import { ErrorCode, ERRORS, type FieldError, SandboxError } from '@sandbox/errors';

/** A problem document (RFC 9457). The error's extension members stand beside these. */
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

/** Returns what a client is told about a failure. It shows nothing of an unexpected one. */
export function toProblem(exception: unknown, requestId: string): Problem {
  const error = toSandboxError(exception);
  return {
    ...error.extensions,
    type: problemType(error.code),
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors && { errors: error.errors }),
  };
}

/** Returns the `type` of a problem: a name, not an address. It is as stable as the code. */
export function problemType(code: ErrorCode): string {
  return `urn:sandbox-api:error:${code}`;
}

export function toSandboxError(exception: unknown): SandboxError {
  if (exception instanceof SandboxError) return exception;
  const status = clientErrorStatus(exception);
  const told = status === undefined ? undefined : CLIENT_ERRORS[status];
  const [code, detail] = told ?? [ErrorCode.INTERNAL_ERROR, 'Something went wrong; the log has more under this request id.'];
  return new SandboxError(code, detail, { cause: exception });
}

/** Errors that Nest, Express and its file server raise themselves, by status. */
const CLIENT_ERRORS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: [ErrorCode.BAD_REQUEST, 'The request could not be read: check the encoding of its URL.'],
  404: [ErrorCode.NOT_FOUND, 'There is nothing at this address.'],
  412: [ErrorCode.PRECONDITION_FAILED, 'The file there is not what the request names.'],
  416: [ErrorCode.RANGE_NOT_SATISFIABLE, 'The file there has no such range.'],
};

function clientErrorStatus(exception: unknown): number | undefined {
  if (exception instanceof HttpException) return exception.getStatus();
  // The http-errors package marks errors of the client with `expose`.
  const { status, expose } = (exception ?? {}) as { status?: unknown; expose?: unknown };
  return expose === true && typeof status === 'number' ? status : undefined;
}
