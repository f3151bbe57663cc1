import { parseCount, parseFileName, parseFlag, unsound } from '../channel/agent-values';
import { parseSkip, type Skip, type Skips, withoutSkips } from './skips';
import { parseJsonObject } from './workspace-answers';
import type { WorkspacePath } from '../paths/workspace-path';

/** A line, or a file, that a search found. */
export interface SearchMatch extends WorkspacePath {
  /** Counted from 1. This and `line` are absent if the search was for files only. */
  line_number?: number;
  line?: string;
}

/** The matches of a search, and the files that it left out. */
export interface SearchResult extends Skips {
  matches: SearchMatch[];
  /** There are more matches, or may be: the search reached its limit or its time was over. */
  truncated: boolean;
}

/**
 * Reads one line of a search's answer.
 * @param withLines whether the search looked for a pattern in lines
 * @throws SandboxError SANDBOX_LOST if the line is not what an agent sends, because it comes out of
 *   the sandbox
 */
export function parseSearchLine(line: string, withLines: boolean): SearchMatch | Skip {
  const found = parseJsonObject(line);
  const skip = parseSkip(found);
  if (skip !== undefined) return skip;
  const file = parseFileName(found.path, found.path_base64);
  if (!withLines) return file;
  if (typeof found.line !== 'string') throw unsound();
  return { ...file, line_number: parseCount(found.line_number), line: found.line };
}

/**
 * Puts the answer of a search together.
 * @param limit the most matches that the API asked for
 * @throws SandboxError SANDBOX_LOST if the answer is not what an agent sends
 */
export function searchResult(lines: (SearchMatch | Skip)[], end: Record<string, unknown>, limit: number): SearchResult {
  const { rest: matches, skips } = withoutSkips(lines, end.skipped);
  if (matches.length > limit) throw unsound();
  return { matches, truncated: parseFlag(end.truncated), ...skips };
}
