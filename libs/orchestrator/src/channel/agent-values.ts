import { ErrorCode, SandboxError } from '@sandbox/errors';
import { decodeBase64 } from '@sandbox/text';
import { shownBytes, type WorkspacePath } from '../paths/workspace-path';

/**
 * Reads values of an agent's answer. They come out of the sandbox, so a value that makes no sense
 * is refused.
 */

/** Whether a value is a whole number of 0 or more. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Reads a whole number of 0 or more.
 * @throws SandboxError SANDBOX_LOST if it is none
 */
export function parseCount(value: unknown): number {
  if (!isCount(value)) throw unsound();
  return value;
}

/**
 * Reads a boolean.
 * @throws SandboxError SANDBOX_LOST if it is none
 */
export function parseFlag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unsound();
  return value;
}

/**
 * Reads an object.
 * @throws SandboxError SANDBOX_LOST if it is none
 */
export function parseObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw unsound();
  return value as Record<string, unknown>;
}

/** The escape by which JSON text may yield half of a surrogate pair. */
const MAY_BE_HALF = /\\u[dD][89a-fA-F]/;

/**
 * Parses JSON that an agent sent, and makes every text in it well formed. A sandbox may send halves
 * of surrogate pairs, and no answer of the API may hold one.
 * @throws SyntaxError
 */
export function parseAgentJson(text: string): unknown {
  return JSON.parse(
    text,
    MAY_BE_HALF.test(text) ? (_name, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value) : undefined,
  );
}

/**
 * Reads the name of a file: text, or base64 if the name is no UTF-8.
 * @throws SandboxError SANDBOX_LOST if it is neither
 */
export function parseFileName(text: unknown, base64: unknown): WorkspacePath {
  if (base64 === undefined) {
    if (typeof text !== 'string') throw unsound();
    return { path: text };
  }
  const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined;
  if (bytes === undefined) throw unsound();
  return shownBytes(bytes);
}

/** Makes the error for an answer that makes no sense. */
export function unsound(): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave an answer that makes no sense.');
}
