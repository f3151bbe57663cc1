import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { parseFlag } from '../channel/agent-values';
import type { AgentRequest } from '../channel/channel';
import { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import {
  agentConditions,
  FILE_CALL_DEADLINE_MS,
  fileCall,
  type FileCallNews,
  notRoot,
  parsedFileCall,
  type Preconditions,
} from './file-call';
import { type Skips, withoutSkips } from './skips';
import { parseStat, type WorkspaceStat } from './stat-answer';
import { parseEtag, parseEntry, type WorkspaceEntry } from './workspace-answers';

/** Entries, whether there are more than the caller asked for, and what could not be read. */
export interface WorkspaceListing extends Skips {
  entries: WorkspaceEntry[];
  truncated: boolean;
}

/** The extent of a listing. */
export interface ListOptions {
  /** Levels of directories; 1 for the directory itself. */
  readonly depth?: number;
  /** The most entries; all if absent. */
  readonly limit?: number;
}

/**
 * The longest listing, in bytes of the agent's answer. It is held in memory, so a longer one is
 * refused.
 */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;
/**
 * Lists and looks at files and directories, moves and deletes them, and makes directories. A
 * session is created on first use. All methods throw what WorkspaceService's methods throw, and
 * what each of them names.
 */
@Injectable()
export class WorkspaceEntriesService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Lists a directory, and the directories below it as deep as asked for. Entries are in the order
   * of their names, each directory right before its contents. A listing over 8 MiB (some 50,000
   * names) is refused with FILE_TOO_LARGE.
   */
  async listEntries(
    user: User,
    sessionId: string,
    path: GivenPath,
    signal?: AbortSignal,
    { depth = 1, limit = 0 }: ListOptions = {},
  ): Promise<WorkspaceListing & FileCallNews> {
    const { lines, end, session_created } = await parsedFileCall(
      this,
      'workspace_list',
      { user, sessionId, path },
      (file) => ({ op: 'list', ...file, depth, limit }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
      parseEntry,
      { maxBytes: MAX_LISTING_BYTES, detail: 'The directory has too many entries to be listed.' },
    );
    const { rest: entries, skips } = withoutSkips(lines, end.skipped);
    return { entries, truncated: parseFlag(end.truncated), ...skips, session_created };
  }

  /** Describes what the path itself names: a link is not followed. */
  async statEntry(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspaceStat> {
    const { end } = await fileCall(this, 'workspace_stat', { user, sessionId, path }, (file) => ({ op: 'stat', ...file }), {
      deadlineMs: FILE_CALL_DEADLINE_MS,
      signal,
    });
    return parseStat(workspaceFile(path), end);
  }

  /**
   * Moves a file or directory in one step, and creates the parents of the target. If-Match applies
   * to `from`, If-None-Match to `to`.
   * @throws SandboxError ALREADY_EXISTS, PRECONDITION_FAILED
   */
  async moveEntry(
    user: User,
    sessionId: string,
    { from, to, overwrite = false }: { from: GivenPath; to: GivenPath; overwrite?: boolean },
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<WorkspacePath & { etag: string }> {
    const { end } = await fileCall(
      this,
      'workspace_move',
      { user, sessionId, path: from, to },
      (origin, target) => ({ op: 'move', ...moved(notRoot(origin), notRoot(target)), overwrite, ...agentConditions(conditions) }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
    );
    return { ...workspaceFile(to), etag: parseEtag(end.etag) };
  }

  /**
   * Creates a directory and its parents. Leaves an existing directory as it is.
   * @throws SandboxError ALREADY_EXISTS if the path names something else
   */
  async makeDirectory(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspacePath & { created: boolean }> {
    const { end } = await fileCall(this, 'workspace_mkdir', { user, sessionId, path }, (file) => ({ op: 'mkdir', ...file }), {
      deadlineMs: FILE_CALL_DEADLINE_MS,
      signal,
    });
    return { ...workspaceFile(path), created: parseFlag(end.created) };
  }

  /**
   * Deletes a file, or a directory with all it holds. A link is deleted itself, not its target.
   * @returns `path` relative to /workspace, however it was given
   * @throws SandboxError PRECONDITION_FAILED, and then nothing has changed
   */
  async deleteEntry(
    user: User,
    sessionId: string,
    path: GivenPath,
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<WorkspacePath & FileCallNews> {
    const { session_created } = await fileCall(
      this,
      'workspace_delete',
      { user, sessionId, path },
      (file) => ({ op: 'delete', ...notRoot(file), ...agentConditions(conditions) }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
    );
    return { ...workspaceFile(path), session_created };
  }
}

function moved(from: WorkspacePath, to: WorkspacePath): Pick<AgentRequest & { op: 'move' }, 'from' | 'from_base64' | 'to' | 'to_base64'> {
  return { from: from.path, from_base64: from.path_base64, to: to.path, to_base64: to.path_base64 };
}
