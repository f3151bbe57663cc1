import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { SessionEntrance } from '../entering/session-entrance';
import { workspaceGlob } from '../paths/workspace-glob';
import type { GivenPath } from '../paths/workspace-path';
import { FILE_CALL_DEADLINE_MS, type FileCallNews, parsedFileCall } from './file-call';
import { parseSearchLine, type SearchResult, searchResult } from './search-answers';

/** A search. */
export interface SearchOptions {
  /** The files to search, in the form of workspaceGlob; all if absent. */
  readonly glob?: string;
  /** A regular expression for lines. Without it, the search finds files. */
  readonly pattern?: string;
  /** The most matches to return. */
  readonly limit: number;
}

/** The agent kills a search that takes longer than this. */
const SEARCH_TIMEOUT_MS = 10_000;
/** An agent that keeps to its protocol stops before this limit. */
const MAX_SEARCH_BYTES = 8 * 1024 * 1024;

/** Searches for files, and in them. A session is created on first use. */
@Injectable()
export class WorkspaceSearchService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Searches files. If `path` is a file, it is searched whatever the glob says. A search whose time
   * is over returns what it found by then, with `truncated`.
   * @throws SandboxError INVALID_PATTERN; SEARCH_TIMED_OUT if nothing was found by then
   */
  async searchFiles(
    user: User,
    sessionId: string,
    path: GivenPath,
    { glob, pattern, limit }: SearchOptions,
    signal?: AbortSignal,
  ): Promise<SearchResult & FileCallNews> {
    const { lines, end, session_created } = await parsedFileCall(
      this,
      'workspace_search',
      { user, sessionId, path },
      (file) => ({
        op: 'search',
        ...file,
        ...workspaceGlob(glob, file),
        pattern: pattern ?? null,
        limit,
        timeout_ms: SEARCH_TIMEOUT_MS,
      }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
      (line) => parseSearchLine(line, pattern !== undefined),
      { maxBytes: MAX_SEARCH_BYTES, detail: 'The sandbox found more than it may send.' },
    );
    return { ...searchResult(lines, end, limit), session_created };
  }
}
