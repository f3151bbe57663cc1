import type { components } from './schema.ts';

type Problem = components['schemas']['ProblemDto'];

/** The stable name of what went wrong, as the API documents it. */
export type ErrorCode = Problem['code'];

/** The API refused a call, or could not carry it out. */
export class SandboxError extends Error {
  override readonly name: string = 'SandboxError';
  /** The HTTP status. */
  readonly status: number;
  /** What kind of problem it is. Undefined if not the API answered, but a proxy, for example. */
  readonly code: ErrorCode | undefined;
  /** What is wrong, by field, of a request that does not fit the API. */
  readonly fields: Problem['errors'];
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  /** How long to wait before another attempt, seconds, if the API says so. */
  readonly retryAfter: number | undefined;

  constructor({ status, retryAfter, ...problem }: Partial<Problem> & { status: number; retryAfter?: number }) {
    super(problem.detail ?? `The server answered with the status ${status}.`);
    this.status = status;
    this.code = problem.code;
    this.fields = problem.errors;
    this.requestId = problem.request_id;
    this.retryAfter = retryAfter;
  }
}

/** The credential is missing or wrong (401). */
export class AuthenticationError extends SandboxError {
  override readonly name = 'AuthenticationError';
}
/** There is no such session, job or file (404). */
export class NotFoundError extends SandboxError {
  override readonly name = 'NotFoundError';
}
/** The request is malformed (400, 422). `fields` names the fields. */
export class InvalidArgumentError extends SandboxError {
  override readonly name = 'InvalidArgumentError';
}
/** The operator's rules do not allow this command. The message says which word. */
export class CommandNotAllowedError extends SandboxError {
  override readonly name = 'CommandNotAllowedError';
}
/** Another version of a file is there, or something in its place (409, 412). */
export class ConflictError extends SandboxError {
  override readonly name = 'ConflictError';
}
/** Too many requests, commands, jobs or sessions (429). `retryAfter` says when to try again. */
export class RateLimitError extends SandboxError {
  override readonly name = 'RateLimitError';
}
/**
 * The call was not made with this `idempotencyKey`, and there is no answer to give. The `code` says
 * whether the key is another call's, or its call may have run (IDEMPOTENCY_UNKNOWN), or has.
 */
export class IdempotencyError extends SandboxError {
  override readonly name = 'IdempotencyError';
}
/** The workspace is full (507). */
export class NotEnoughSpaceError extends SandboxError {
  override readonly name = 'NotEnoughSpaceError';
}
/** The sandbox ended while the call was under way (SANDBOX_LOST). */
export class SandboxLostError extends SandboxError {
  override readonly name = 'SandboxLostError';
}

/** No whole answer came: the server is away, or the connection broke. `cause` tells more. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** The error of an answer that stopped short; the caller's own reason, if the caller ended it. */
export function brokenOff(cause: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : new ConnectionError('The answer broke off before its end.', { cause });
}

const BY_CODE: Partial<Record<ErrorCode, typeof SandboxError>> = {
  COMMAND_NOT_ALLOWED: CommandNotAllowedError,
  IDEMPOTENCY_ANSWER_NOT_KEPT: IdempotencyError,
  IDEMPOTENCY_KEY_REUSED: IdempotencyError,
  IDEMPOTENCY_RUNNING: IdempotencyError,
  IDEMPOTENCY_UNKNOWN: IdempotencyError,
  SANDBOX_LOST: SandboxLostError,
};
const BY_STATUS: Readonly<Record<number, typeof SandboxError>> = {
  400: InvalidArgumentError,
  401: AuthenticationError,
  404: NotFoundError,
  409: ConflictError,
  412: ConflictError,
  422: InvalidArgumentError,
  429: RateLimitError,
  507: NotEnoughSpaceError,
};

/**
 * Makes the error of a problem.
 * @param problem what the API said; anything else counts as nothing
 */
export function errorOf(status: number, problem: unknown, retryAfter?: number): SandboxError {
  const said = isProblem(problem) ? problem : {};
  const Kind = (said.code && BY_CODE[said.code]) ?? BY_STATUS[status] ?? SandboxError;
  return new Kind({ ...said, status, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

/** Reads the error of an answer that is no success. */
export async function errorOfResponse(response: Response): Promise<SandboxError> {
  const problem: unknown = await response.json().catch(() => undefined);
  return errorOf(response.status, problem, retryAfterOf(response));
}

/** Reads Retry-After in seconds (RFC 9110, section 10.2.3). The API sends no dates. */
export function retryAfterOf(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

function isProblem(value: unknown): value is Partial<Problem> {
  return typeof value === 'object' && value !== null && typeof (value as Problem).code === 'string';
}
