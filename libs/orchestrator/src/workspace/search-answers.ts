import { count, fileName, parseFlag, unsound } from '../channel/agent-values';
import { parseObject } from './workspace-answers';
import type { WorkspacePath } from '../paths/workspace-path';

export interface SearchMatch extends WorkspacePath {
  /** From 1. Absent, as is `line`, if files alone were searched for. */
  line_number?: number;
  line?: string;
}

/** Why a search did not look at something. agent/PROTOCOL.md says what each means. */
export const SKIP_REASONS = ['timed_out', 'line_too_long', 'binary', 'not_readable', 'link', 'too_deep', 'out_of_memory'] as const;

export interface SearchSkip extends WorkspacePath {
  reason: (typeof SKIP_REASONS)[number];
}

export interface SearchResult {
  matches: SearchMatch[];
  /** There are more, or may be: the search ended at its limit, or when its time was over. */
  truncated: boolean;
  /** What was not looked at, or not all of it. At most the first 50. */
  skipped: SearchSkip[];
  /** How many there are in all. Absent if `skipped` lists them all. */
  skipped_total?: number;
}

/** An agent lists no more, and counts the others. */
const MAX_LISTED_SKIPS = 50;

/**
 * One line of a search's answer.
 * @param withLines whether there was a pattern to find in lines
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends: it comes out of the sandbox
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
 * @param limit most matches that were asked for
 * @throws SandboxError SANDBOX_LOST, as parseSearchLine
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
