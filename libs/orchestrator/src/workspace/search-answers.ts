import { count, fileName, parseFlag, unsound } from '../channel/agent-values';
import { parseObject } from './workspace-answers';
import type { WorkspacePath } from '../paths/workspace-path';

/** A line, or a file, that a search found. */
export interface SearchMatch extends WorkspacePath {
  /** Counted from 1. This and `line` are absent if the search was for files only. */
  line_number?: number;
  line?: string;
}

/** Why a search did not look at a file. agent/PROTOCOL.md says what each word means. */
export const SKIP_REASONS = ['timed_out', 'line_too_long', 'binary', 'not_readable', 'link', 'too_deep', 'out_of_memory'] as const;

/** A file that a search did not look at, or not wholly. */
export interface SearchSkip extends WorkspacePath {
  reason: (typeof SKIP_REASONS)[number];
}

/** The matches of a search, and the files that it left out. */
export interface SearchResult {
  matches: SearchMatch[];
  /** There are more matches, or may be: the search reached its limit or its time was over. */
  truncated: boolean;
  /** Files at which the search did not look, or not wholly. At most the first 50. */
  skipped: SearchSkip[];
  /** How many were skipped in all. Absent if `skipped` lists them all. */
  skipped_total?: number;
}

/** An agent lists at most this many skipped files, and counts the others. */
const MAX_LISTED_SKIPS = 50;

/**
 * Reads one line of a search's answer.
 * @param withLines whether the search looked for a pattern in lines
 * @throws SandboxError SANDBOX_LOST if the line is not what an agent sends, because it comes out of
 *   the sandbox
 */
export function parseSearchLine(line: string, withLines: boolean): SearchMatch | SearchSkip {
  const found = parseObject(line);
  const file = fileName(found.path, found.path_base64);
  if (found.reason !== undefined) return { ...file, reason: skipReason(found.reason) };
  if (!withLines) return file;
  if (typeof found.line !== 'string') throw unsound();
  return { ...file, line_number: count(found.line_number), line: found.line };
}

/**
 * Puts the answer of a search together.
 * @param limit the most matches that the API asked for
 * @throws SandboxError SANDBOX_LOST if the answer is not what an agent sends
 */
export function searchResult(lines: (SearchMatch | SearchSkip)[], end: Record<string, unknown>, limit: number): SearchResult {
  const skipped: SearchSkip[] = [];
  const matches: SearchMatch[] = [];
  for (const line of lines) {
    if ('reason' in line) skipped.push(line);
    else matches.push(line);
  }
  const total = count(end.skipped);
  if (matches.length > limit || skipped.length > MAX_LISTED_SKIPS || skipped.length > total) throw unsound();
  return {
    matches,
    truncated: parseFlag(end.truncated),
    skipped,
    ...(total > skipped.length ? { skipped_total: total } : {}),
  };
}

function skipReason(reason: unknown): SearchSkip['reason'] {
  const known = SKIP_REASONS.find((each) => each === reason);
  if (known === undefined) throw unsound();
  return known;
}
