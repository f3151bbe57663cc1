import { parseCount, parseFileName, unsound } from '../channel/agent-values';
import type { WorkspacePath } from '../paths/workspace-path';

/** Why a call did not look at something. agent/PROTOCOL.md says what each means. */
export const SKIP_REASONS = ['timed_out', 'line_too_long', 'binary', 'not_readable', 'link', 'too_deep', 'out_of_memory'] as const;

/** Something that a call did not look at. Its path is from the workspace's root. */
export interface Skip extends WorkspacePath {
  reason: (typeof SKIP_REASONS)[number];
}

export interface Skips {
  /** The files and directories that were not looked at, or not wholly. At most the first 50. */
  skipped: Skip[];
  /** How many there are in all. Absent if `skipped` lists them all. */
  skipped_total?: number;
}

/** An agent lists at most this many, and counts the others. */
const MAX_LISTED = 50;

/**
 * Reads a line of an answer.
 * @returns what was skipped; undefined if the line says something else
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends, because it comes out of the
 *   sandbox
 */
export function parseSkip({ path, path_base64, reason }: Record<string, unknown>): Skip | undefined {
  if (reason === undefined) return undefined;
  const known = SKIP_REASONS.find((each) => each === reason);
  if (known === undefined) throw unsound();
  return { ...parseFileName(path, path_base64), reason: known };
}

/**
 * Separates what was skipped from the other lines of an answer.
 * @param counted the agent's count of all that was skipped
 * @throws SandboxError SANDBOX_LOST, as parseSkip
 */
export function withoutSkips<T extends object>(lines: readonly (T | Skip)[], counted: unknown): { rest: T[]; skips: Skips } {
  const skipped = lines.filter(isSkip);
  const rest = lines.filter((line): line is T => !isSkip(line));
  const total = parseCount(counted);
  if (skipped.length > MAX_LISTED || skipped.length > total) throw unsound();
  return { rest, skips: { skipped, ...(total > skipped.length ? { skipped_total: total } : {}) } };
}

function isSkip(line: object): line is Skip {
  return 'reason' in line;
}
