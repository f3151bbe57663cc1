import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import { parseFlag } from '../channel/agent-values';
import type { AgentRequest } from '../channel/channel';
import { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import { agentConditions, FILE_CALL_DEADLINE_MS, fileCall, notRoot, type Preconditions } from './file-call';
import { parseStat, type WorkspaceStat } from './stat-answer';
import { etag } from './workspace-answers';

/**
 * Looks at files and directories, moves them, and makes directories. A session is created on first
 * use. All methods throw what WorkspaceService's methods throw, and what each of them names.
 */
@Injectable()
export class WorkspaceEntriesService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /** Describes what the path itself names: a link is not followed. */
  async stat(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal): Promise<WorkspaceStat> {
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
  async move(
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
    return { ...workspaceFile(to), etag: etag(end.etag) };
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
}

function moved(from: WorkspacePath, to: WorkspacePath): Pick<AgentRequest & { op: 'move' }, 'from' | 'from_base64' | 'to' | 'to_base64'> {
  return { from: from.path, from_base64: from.path_base64, to: to.path, to_base64: to.path_base64 };
}
