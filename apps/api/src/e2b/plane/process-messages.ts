import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { TerminalSize } from '@sandbox/orchestrator';
import { decodeBase64, isObject } from '@sandbox/text';
import { refuseParameters } from '../../validation/no-query.guard';
import { validateDto, validationFailed } from '../../validation/validate-dto';
import { notSupported } from '../protocol/not-supported';
import { InputMessage, ProcessConfigMessage, PtyMessage, SelectorMessage, SizeMessage } from './process.dto';
import { type ProcessId, processOf } from './process-ids';

/* Readers of the messages within the messages of `process.Process`. */

/** @throws SandboxError VALIDATION_FAILED unless the message has no members */
export function requireEmpty(message: unknown = {}): void {
  if (!isObject(message)) throw validationFailed([{ field: '', message: 'must be an object' }]);
  refuseParameters(Object.keys(message));
}

/** @throws SandboxError VALIDATION_FAILED, NOT_SUPPORTED (a tag), JOB_NOT_FOUND */
export function selectedProcess(selector: unknown): ProcessId {
  const { pid, tag } = validateDto(SelectorMessage, selector);
  if (tag !== undefined) throw notSupported('Naming a process by a tag');
  if (pid === undefined) throw new SandboxError(ErrorCode.BAD_REQUEST, 'The call has to name a process by its pid.');
  return processOf(pid);
}

/** @throws SandboxError VALIDATION_FAILED */
export function processConfig(config: unknown): ProcessConfigMessage {
  return validateDto(ProcessConfigMessage, config);
}

/** @throws SandboxError VALIDATION_FAILED */
export function terminalSize(pty: unknown): TerminalSize {
  const { cols, rows } = validateDto(SizeMessage, validateDto(PtyMessage, pty).size);
  return { cols, rows };
}

/**
 * Reads input for a process.
 * @throws SandboxError VALIDATION_FAILED
 */
export function inputBytes(input: unknown): Buffer {
  const { stdin, pty } = validateDto(InputMessage, input);
  const bytes = decodeBase64(stdin ?? pty ?? '');
  if (bytes === undefined || (stdin !== undefined && pty !== undefined)) {
    throw validationFailed([{ field: 'input', message: 'must be either stdin or pty, in base64' }]);
  }
  return bytes;
}
