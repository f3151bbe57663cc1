import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Channel } from '../channel/channel';
import { shownBytes, type WorkspacePath } from '../paths/workspace-path';
import type { ChangeWatcher } from './directory-watch';
import { FILE_CALL_DEADLINE_MS } from './file-call';
import { parseStat, type WorkspaceStat } from './stat-answer';
import type { WorkspaceChange } from './watch-lines';

/** What a stat of an entry answers if another change has been faster. */
const GONE: ReadonlySet<string> = new Set([
  ErrorCode.NOT_FOUND,
  ErrorCode.NOT_A_DIRECTORY,
  ErrorCode.PATH_OUTSIDE_WORKSPACE,
  ErrorCode.INVALID_PATH,
]);

/**
 * Makes a watcher that also learns what each changed entry is by then, at its path of after the
 * change. It gets null for what is not there any more.
 */
export function describedChanges(watcher: ChangeWatcher, channel: Channel, directory: WorkspacePath, signal: AbortSignal): ChangeWatcher {
  const describe = async (change: WorkspaceChange): Promise<WorkspaceStat | null> => {
    const file = shownBytes(Buffer.concat([bytesOf(directory), Buffer.from(directory.path === '' ? '' : '/'), bytesOf(change)]));
    try {
      return parseStat(file, await channel.sendRequest({ op: 'stat', ...file }, { deadlineMs: FILE_CALL_DEADLINE_MS, signal }));
    } catch (error) {
      if (error instanceof SandboxError && GONE.has(error.code)) return null;
      throw error;
    }
  };
  return {
    ready: () => watcher.ready(),
    change: async (change) => watcher.change(change, change.type === 'remove' ? null : await describe(change)),
    lost: (lost) => watcher.lost(lost),
  };
}

function bytesOf({ path, path_base64 }: WorkspacePath): Buffer {
  return path_base64 === undefined ? Buffer.from(path) : Buffer.from(path_base64, 'base64');
}
