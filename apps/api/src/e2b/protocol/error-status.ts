import type { ErrorCode, SandboxError } from '@sandbox/errors';

/** The codes of errors in the Connect protocol, with the HTTP status of a unary answer. */
export const CONNECT_STATUS = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  unimplemented: 501,
  internal: 500,
  data_loss: 500,
  unavailable: 503,
  unauthenticated: 401,
} as const;

export type ConnectCode = keyof typeof CONNECT_STATUS;

/** The code of an error whose own code says more than its status does. */
const BY_CODE: Partial<Record<ErrorCode, ConnectCode>> = {
  // E2B's SDKs take `unavailable` for a sandbox that is not there any more.
  SESSION_NOT_FOUND: 'unavailable',
  SESSION_DELETED: 'unavailable',
  SANDBOX_LOST: 'unavailable',
  COMMAND_NOT_ALLOWED: 'permission_denied',
  ALREADY_EXISTS: 'already_exists',
  NOT_A_DIRECTORY: 'invalid_argument',
  IS_A_DIRECTORY: 'invalid_argument',
  // For E2B, a process that has ended is none.
  JOB_ENDED: 'not_found',
};

const BY_STATUS: Readonly<Record<number, ConnectCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  408: 'deadline_exceeded',
  409: 'failed_precondition',
  410: 'not_found',
  412: 'failed_precondition',
  413: 'invalid_argument',
  415: 'invalid_argument',
  416: 'data_loss',
  422: 'invalid_argument',
  423: 'failed_precondition',
  429: 'resource_exhausted',
  499: 'canceled',
  501: 'unimplemented',
  507: 'failed_precondition',
};

/**
 * Returns the code with which an RPC of the sandbox fails. An engine or a store that is away is
 * `internal`, since the SDKs would tell that the sandbox has ended.
 */
export function connectCode({ code, status }: SandboxError): ConnectCode {
  return BY_CODE[code] ?? BY_STATUS[status] ?? 'internal';
}

/**
 * Returns the one text that the protocol has for an error. It also says what is wrong with each
 * field, which a problem document has apart.
 */
export function toldMessage({ message, errors = [] }: SandboxError): string {
  return [message, ...errors.map((each) => each.message).filter((each) => !message.includes(each))].join(' ');
}

/** Returns the HTTP status of an error in E2B's REST calls, which know no 422. */
export function restStatus({ status }: SandboxError): number {
  return status === 422 ? 400 : status;
}

/**
 * Returns the HTTP status of an error in a sandbox's own plain HTTP calls. 502 is how E2B answers
 * for a sandbox that is not there, and 400 for a path that is no file.
 */
export function sandboxStatus(error: SandboxError): number {
  if (connectCode(error) === 'unavailable') return 502;
  return connectCode(error) === 'invalid_argument' && error.status === 409 ? 400 : restStatus(error);
}
