import { parseCount, unsound } from '../channel/agent-values';
import { parseEtag, parseTime, workspaceType, type WorkspaceEntry } from './workspace-answers';
import type { WorkspacePath } from '../paths/workspace-path';

/** A file, directory or link, as the API describes it. */
export interface WorkspaceStat extends WorkspacePath {
  type: WorkspaceEntry['type'];
  /** Bytes. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
  /** Four octal digits, as chmod takes them. */
  mode: string;
  /** The value of the ETag and If-Match headers, with quotes. */
  etag: string;
}

const MAX_MODE = 0o7777;

/**
 * Reads what the agent says of a path.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends, because it comes out of the
 *   sandbox
 */
export function parseStat(file: WorkspacePath, end: Record<string, unknown>): WorkspaceStat {
  const mode = parseCount(end.mode);
  if (mode > MAX_MODE) throw unsound();
  return {
    ...file,
    type: workspaceType(end.type),
    size: parseCount(end.size),
    modified: parseTime(end.modified),
    mode: mode.toString(8).padStart(4, '0'),
    etag: parseEtag(end.etag),
  };
}
