import { ErrorCode, SandboxError } from '@sandbox/errors';

/** Values of an agent's answer. They come out of the sandbox: what makes no sense is not passed on. */

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** @throws SandboxError SANDBOX_LOST, as the others */
export function count(value: unknown): number {
  if (!isCount(value)) throw unsound();
  return value;
}

/** @throws SandboxError SANDBOX_LOST */
export function parseFlag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unsound();
  return value;
}

export function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw unsound();
  return value as Record<string, unknown>;
}

export function unsound(): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave an answer that makes no sense.');
}
