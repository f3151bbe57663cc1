export { clientClosed } from './client-closed';
export { ErrorCode, ERRORS } from './error-codes';
export { SandboxError, type FieldError, type SandboxErrorOptions } from './sandbox-error';
export { within } from './within';
