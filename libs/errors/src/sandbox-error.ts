import { type ErrorCode, ERRORS } from './error-codes';

/** A fault in one field of a request. */
export interface FieldError {
  field: string;
  message: string;
}

export interface SandboxErrorOptions {
  /** Only for the log. Never sent to a client. */
  cause?: unknown;
  /** The value of the Retry-After header, in seconds. */
  retryAfter?: number;
  /** One entry for each field that is bad (422) or differs (409). */
  errors?: FieldError[];
  /** Further members of the problem document (RFC 9457, section 3.2). JSON values only. */
  extensions?: Record<string, unknown>;
}

/**
 * The one error that crosses layers. Its `message` is written for the caller and becomes the
 * problem's `detail`. So the message must hold no path of the host, no message of the engine and no
 * credential.
 */
export class SandboxError extends Error {
  readonly status: number;
  readonly retryAfter?: number;
  readonly errors?: FieldError[];
  readonly extensions?: Record<string, unknown>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: SandboxErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SandboxError';
    this.status = ERRORS[code].status;
    this.retryAfter = options.retryAfter;
    this.errors = options.errors;
    this.extensions = options.extensions;
  }

  /** @returns the same error with one more sentence in its message */
  withSentence(sentence: string): SandboxError {
    const { code, message, cause, retryAfter, errors, extensions } = this;
    return new SandboxError(code, `${message} ${sentence}`, { cause, retryAfter, errors, extensions });
  }
}
