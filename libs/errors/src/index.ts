export { ErrorCode, ERROR_STATUS, ERROR_TITLE } from './error-codes';
export { SandboxError, type FieldError, type SandboxErrorOptions } from './sandbox-error';
export { within } from './within';
