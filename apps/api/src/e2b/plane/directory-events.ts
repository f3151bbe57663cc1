import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { ChangeWatcher, LostChanges, WatchEnd, WorkspaceChange, WorkspaceStat } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { logFailure } from '../../problems/log-failure';
import { MessageStream } from '../protocol/message-stream';
import { CallTime, tookTooLong } from './call-time';
import { type EntryInfo, statInfo } from './entry-info';

/** A change, as `filesystem.FilesystemEvent` is written in Protobuf's JSON. */
interface FilesystemEvent {
  /** The path from the watched directory. */
  readonly name: string;
  readonly type: string;
  readonly entry?: EntryInfo;
}

const TYPES = {
  create: 'EVENT_TYPE_CREATE',
  modify: 'EVENT_TYPE_WRITE',
  remove: 'EVENT_TYPE_REMOVE',
  rename: 'EVENT_TYPE_RENAME',
  chmod: 'EVENT_TYPE_CHMOD',
} as const;

/** Watches a directory for the watcher, until the signal aborts or the watch ends by itself. */
export type WatchDirectory = (watcher: ChangeWatcher, signal: AbortSignal) => Promise<WatchEnd>;

/**
 * Answers with the changes in a directory. If it cannot be watched, the caller gets the exception.
 * The protocol has no word for changes that are lost. So the answer ends with an error then, and
 * its client knows that it has to look at the directory itself.
 * @param timeoutMs after so long the answer ends; undefined: never
 * @param gone aborts when the client goes away
 */
export async function sendDirectoryEvents(
  response: Response,
  watch: WatchDirectory,
  timeoutMs: number | undefined,
  gone: AbortSignal,
): Promise<void> {
  const time = new CallTime(timeoutMs, gone);
  let stream: MessageStream | undefined;
  const watcher: ChangeWatcher = {
    ready: () => {
      stream = new MessageStream(response, { keepalive: {} });
      return stream.send({ start: {} });
    },
    change: async (change, entry) => {
      for (const filesystem of eventsOf(change, entry ?? null)) await stream?.send({ filesystem });
    },
    lost: (lost) => Promise.reject(changesLost(lost)),
  };
  try {
    const end = await watch(watcher, time.signal);
    stream?.end(ENDS[end]?.());
  } catch (exception) {
    const error = time.errorOf(exception);
    if (stream === undefined) throw error;
    if (!gone.aborted) logFailure(error, response.req.id);
    stream.end(error);
  }
}

/** A rename is two events: the old name has gone, and the new one has come. */
function eventsOf(change: WorkspaceChange, stat: WorkspaceStat | null): FilesystemEvent[] {
  const entry = stat === null ? {} : { entry: statInfo(stat) };
  if (change.type !== 'rename') return [{ name: change.path, type: TYPES[change.type], ...entry }];
  return [
    { name: change.from ?? '', type: TYPES.rename },
    { name: change.path, type: TYPES.create, ...entry },
  ];
}

/** The error of a watch that has ended while its directory is still there. */
const ENDS: Partial<Record<WatchEnd, () => SandboxError>> = {
  time_over: tookTooLong,
  server_stopping: () => new SandboxError(ErrorCode.INTERNAL_ERROR, 'The server stops. Watch the directory again.'),
};

const LOST: Readonly<Record<LostChanges['reason'], string>> = {
  overflow: 'There were more changes than the client has read',
  too_many_directories: 'There are more directories than can be watched',
  too_deep: 'There are directories that are too deep to be watched',
  not_readable: 'There is a directory that may not be read',
};

function changesLost({ reason, path = '' }: LostChanges): SandboxError {
  const place = path === '' ? '' : `, at ${JSON.stringify(path)}`;
  const advice = 'Some changes are not told. List the directory, and watch it again, or a smaller one.';
  return new SandboxError(ErrorCode.RANGE_NOT_SATISFIABLE, `${LOST[reason]}${place}. ${advice}`);
}
