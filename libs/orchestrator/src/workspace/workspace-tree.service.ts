import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { parseFlag } from '../channel/agent-values';
import type { AgentRequest } from '../channel/channel';
import { agentConditions, collectedFileCall, fileCall, notRoot, type Preconditions } from './file-call';
import { SessionEntrance } from '../entering/session-entrance';
import { etag, parseInSlices, splitLines } from './workspace-answers';
import { type SearchResult, parseSearchLine, searchResult } from './search-answers';
import { workspaceGlob } from '../paths/workspace-glob';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import { parseDiff, parseStat, type WorkspaceStat } from './workspace-tree-answers';

/** One replacement in a text file. */
export interface TextEdit {
  /** The text to replace, exactly as the file has it. */
  readonly old: string;
  readonly new: string;
  /** Replaces every occurrence. Otherwise the text has to occur once. */
  readonly all?: boolean;
}

/** A search. */
export interface SearchOptions {
  /** The files to search, in the form of workspaceGlob; all if absent. */
  readonly glob?: string;
  /** A regular expression for lines. Without it, the search finds files. */
  readonly pattern?: string;
  /** The most matches to return. */
  readonly limit: number;
}

/** The result of an edit. */
export interface EditResult {
  /** A unified diff. */
  diff: string;
  etag: string;
  /** The diff was cut; the edit is complete. */
  truncated: boolean;
}

/** The longest that one of these calls takes. */
const CALL_DEADLINE_MS = 60_000;
/** The agent kills a search that takes longer than this. */
const SEARCH_TIMEOUT_MS = 10_000;
/** An agent that keeps to its protocol stops before these limits. */
const MAX_SEARCH_BYTES = 8 * 1024 * 1024;
const MAX_DIFF_BYTES = 2 * 1024 * 1024;

/**
 * File calls besides listing, reading, writing and deleting. A session is created on first use. All
 * methods throw what WorkspaceService's methods throw, and what each of them names.
 */
@Injectable()
export class WorkspaceTreeService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /** Describes what the path itself names: a link is not followed. */
  async stat(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspaceStat> {
    const end = await fileCall(this, 'workspace_stat', { user, sessionId, path }, (file) => ({ op: 'stat', ...file }), {
      deadlineMs: CALL_DEADLINE_MS,
      signal,
    });
    return parseStat(workspaceFile(path), end);
  }

  /**
   * Moves a file or directory in one step, and creates the parents of the target. If-Match applies
   * to `from`, If-None-Match to `to`.
   * @throws SandboxError ALREADY_EXISTS, PRECONDITION_FAILED
   */
  async move(
    user: User,
    sessionId: string,
    { from, to, overwrite = false }: { from: GivenPath; to: GivenPath; overwrite?: boolean },
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<WorkspacePath & { etag: string }> {
    const end = await fileCall(
      this,
      'workspace_move',
      { user, sessionId, path: from, to },
      (origin, target) => ({ op: 'move', ...moved(notRoot(origin), notRoot(target)), overwrite, ...agentConditions(conditions) }),
      { deadlineMs: CALL_DEADLINE_MS, signal },
    );
    return { ...workspaceFile(to), etag: etag(end.etag) };
  }

  /**
   * Creates a directory and its parents. Leaves an existing directory as it is.
   * @throws SandboxError ALREADY_EXISTS if the path names something else
   */
  async makeDirectory(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspacePath & { created: boolean }> {
    const end = await fileCall(this, 'workspace_mkdir', { user, sessionId, path }, (file) => ({ op: 'mkdir', ...file }), {
      deadlineMs: CALL_DEADLINE_MS,
      signal,
    });
    return { ...workspaceFile(path), created: parseFlag(end.created) };
  }

  /**
   * Searches files. If `path` is a file, it is searched whatever the glob says. A search whose time
   * is over returns what it found by then, with `truncated`.
   * @throws SandboxError INVALID_PATTERN; SEARCH_TIMED_OUT if nothing was found by then
   */
  async search(
    user: User,
    sessionId: string,
    path: GivenPath,
    { glob, pattern, limit }: SearchOptions,
    signal?: AbortSignal,
  ): Promise<SearchResult> {
    const { output, end } = await collectedFileCall(
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
      { deadlineMs: CALL_DEADLINE_MS, signal },
      { maxBytes: MAX_SEARCH_BYTES, detail: 'The sandbox found more than it may send.' },
    );
    const lines = await parseInSlices(splitLines(output), (line) => parseSearchLine(line, pattern !== undefined));
    return searchResult(lines, end, limit);
  }

  /**
   * Applies all edits in order, or none.
   * @throws SandboxError EDIT_NOT_APPLICABLE, PRECONDITION_FAILED, and what a write throws
   */
  async edit(
    user: User,
    sessionId: string,
    path: GivenPath,
    edits: readonly TextEdit[],
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<EditResult> {
    const { output, end } = await collectedFileCall(
      this,
      'workspace_edit',
      { user, sessionId, path },
      (file) => ({
        op: 'edit',
        ...notRoot(file),
        max_size: this.config.WORKSPACE_MAX_FILE_SIZE_BYTES,
        ...agentConditions(conditions),
      }),
      { input: editsInput(edits), deadlineMs: CALL_DEADLINE_MS, signal },
      { maxBytes: MAX_DIFF_BYTES, detail: 'The sandbox sent a longer difference than it may.' },
    );
    return { diff: parseDiff(output), etag: etag(end.etag), truncated: parseFlag(end.truncated) };
  }
}

function moved(from: WorkspacePath, to: WorkspacePath): Pick<AgentRequest & { op: 'move' }, 'from' | 'from_base64' | 'to' | 'to_base64'> {
  return { from: from.path, from_base64: from.path_base64, to: to.path, to_base64: to.path_base64 };
}

/** The edits are input and no part of the request, because a request has to fit one frame. */
function editsInput(edits: readonly TextEdit[]): Buffer {
  return Buffer.from(JSON.stringify(edits.map((edit) => ({ old: edit.old, new: edit.new, all: edit.all === true }))));
}
