import type { LineRange } from '@sandbox/orchestrator';
import { validationFailed } from '../../validation/validate-dto';
import type { ReadQuery } from '../dto/workspace.dto';

/**
 * Reads which lines a request asks for.
 * @param hasRange whether the request asks for a range of bytes, too
 * @returns undefined for the whole file
 * @throws SandboxError VALIDATION_FAILED
 */
export function lineRange({ start_line, end_line }: Pick<ReadQuery, 'start_line' | 'end_line'>, hasRange: boolean): LineRange | undefined {
  if (start_line === undefined && end_line === undefined) return undefined;
  const firstLine = start_line ?? 1;
  if (end_line !== undefined && end_line < firstLine)
    throw validationFailed([{ field: 'end_line', message: 'must not be before start_line' }]);
  if (hasRange) {
    const field = start_line === undefined ? 'end_line' : 'start_line';
    throw validationFailed([{ field, message: 'does not go with a Range of bytes' }]);
  }
  return { firstLine, lastLine: end_line };
}
