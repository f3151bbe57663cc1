import { ErrorCode, SandboxError } from '@sandbox/errors';
import { decodeBase64 } from '@sandbox/text';
import { shownBytes, type WorkspacePath } from '../paths/workspace-path';

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

/** By which a lone half of a surrogate pair can come out of JSON that is text. */
const MAY_BE_HALF = /\\u[dD][89a-fA-F]/;

/**
 * Parses JSON that an agent sent. Every text of it is well formed: what a sandbox sends may hold
 * halves of surrogate pairs, and no answer of ours may.
 * @throws SyntaxError
 */
export function parseAgentJson(text: string): unknown {
  return JSON.parse(
    text,
    MAY_BE_HALF.test(text) ? (_name, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value) : undefined,
  );
}

/**
 * A name of a file, as an agent tells it: text, or base64 of one that is no UTF-8.
 * @throws SandboxError SANDBOX_LOST, as the others
 */
export function fileName(text: unknown, base64: unknown): WorkspacePath {
  if (base64 === undefined) {
    if (typeof text !== 'string') throw unsound();
    return { path: text };
  }
  const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined;
  if (bytes === undefined) throw unsound();
  return shownBytes(bytes);
}

export function unsound(): SandboxError {
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave an answer that makes no sense.');
}
