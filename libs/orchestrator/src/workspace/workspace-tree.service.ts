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

export interface TextEdit {
  /** What is there, exactly. */
  readonly old: string;
  readonly new: string;
  /** Replaces it wherever it is; else it has to be there once. */
  readonly all?: boolean;
}

export interface SearchOptions {
  /** Which files, as workspaceGlob takes it; all if absent. */
  readonly glob?: string;
  /** A regular expression for their lines; without it the files are what is found. */
  readonly pattern?: string;
  /** Most matches. */
  readonly limit: number;
}

export interface EditResult {
  /** Unified. */
  diff: string;
  etag: string;
  /** The diff, not the edit, was cut. */
  truncated: boolean;
}

/** None of these calls takes longer, milliseconds. */
const CALL_DEADLINE_MS = 60_000;
/** In the sandbox, where a search that takes longer is killed. Milliseconds. */
const SEARCH_TIMEOUT_MS = 10_000;
/** The agent ends sooner: past these it does not keep to its protocol. Bytes. */
const MAX_SEARCH_BYTES = 8 * 1024 * 1024;
const MAX_DIFF_BYTES = 2 * 1024 * 1024;

/**
 * Calls on the tree of files that neither list, read, write nor delete. A session is made on first use. What they throw is what
 * WorkspaceService's methods throw, and what is named at each.
 */
@Injectable()
export class WorkspaceTreeService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /** What is at the path itself: a link is not followed. */
  async stat(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspaceStat> {
    const end = await fileCall(this, 'workspace_stat', { user, sessionId, path }, (file) => ({ op: 'stat', ...file }), {
      deadlineMs: CALL_DEADLINE_MS,
      signal,
    });
    return parseStat(workspaceFile(path), end);
  }

  /**
   * In one step; parents of the target are made. Preconditions hold of the one place each: If-Match of `from`, If-None-Match of `to`.
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
   * Parents are made too. A directory that is there is left as it is.
   * @throws SandboxError ALREADY_EXISTS where something else is there
   */
  async makeDirectory(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspacePath & { created: boolean }> {
    const end = await fileCall(this, 'workspace_mkdir', { user, sessionId, path }, (file) => ({ op: 'mkdir', ...file }), {
      deadlineMs: CALL_DEADLINE_MS,
      signal,
    });
    return { ...workspaceFile(path), created: parseFlag(end.created) };
  }

  /**
   * A `path` that is a file is searched itself, whatever the glob. A search whose time is over
   * gives what it has found by then, with `truncated`.
   * @throws SandboxError INVALID_PATTERN; SEARCH_TIMED_OUT if it has found nothing by then
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
   * All edits, in order, or none.
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

/** Not in the request itself, which has to fit one frame. */
function editsInput(edits: readonly TextEdit[]): Buffer {
  return Buffer.from(JSON.stringify(edits.map((edit) => ({ old: edit.old, new: edit.new, all: edit.all === true }))));
}
