import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { clientClosed, ErrorCode, SandboxError, within } from '@sandbox/errors';
import { sessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { Channel } from '../channel/channel';
import { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, workspaceFile } from '../paths/workspace-path';
import { describedChanges } from './described-changes';
import { type ChangeWatcher, DirectoryWatch } from './directory-watch';
import { loggedPath } from './file-call';

/** Why a watch has ended. */
export const WATCH_ENDS = ['directory_gone', 'time_over', 'server_stopping'] as const;
export type WatchEnd = (typeof WATCH_ENDS)[number];

export interface WatchOptions {
  /** Whether the directories below are watched too. */
  readonly recursive?: boolean;
  /** Whether the watcher is also told what each changed entry is. That is one call each. */
  readonly describe?: boolean;
  /** When the caller's credential ends, in milliseconds since the epoch. Null: never. */
  readonly expiresAt?: number | null;
}

/** The longest watch, as long as the longest terminal. */
const MAX_WATCH_MS = 24 * 3600 * 1000;
/**
 * A watch enters its session anew after so long. So if its API process dies, it holds the session
 * for no longer.
 */
const STEP_MS = 300_000;

/**
 * Tells of changes in a session's /workspace while they happen. A watch keeps its session alive, as
 * any call under way does. A session is created on first use.
 */
@Injectable()
export class WorkspaceWatchService {
  private readonly stops = new Set<() => void>();

  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Hands the changes in a directory to the watcher, until the directory is removed or moved, for
   * 24 hours at most. What has happened before `watcher.ready` is not told, and what is not told
   * after it is said by `watcher.lost`. A slow watcher holds nothing up: the sandbox keeps 128 KiB
   * of changes for it and drops those past that.
   * @throws SandboxError what file calls throw for a path and a session; TOO_MANY_CONNECTIONS past
   *   16 watches of the session in this process; SANDBOX_EXHAUSTED if the host can watch no more;
   *   UNAUTHORIZED when the credential has expired; CLIENT_CLOSED_REQUEST
   */
  async watchDirectory(
    user: User,
    sessionId: string,
    path: GivenPath,
    { recursive = false, describe = false, expiresAt = null }: WatchOptions,
    watcher: ChangeWatcher,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    const ref = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    return audited(user, ref, { op: 'workspace_watch', file: loggedPath(path) }, async () => {
      const directory = workspaceFile(path);
      const limits = this.limits(signal, expiresAt);
      let watched: { channel: Channel; watch: DirectoryWatch } | undefined;
      try {
        for (;;) {
          const end = await this.entrance.enterSession(
            ref,
            STEP_MS,
            async ({ channel }) => {
              const told = (): ChangeWatcher => (describe ? describedChanges(watcher, channel, directory, signal) : watcher);
              watched ??= { channel, watch: await DirectoryWatch.open(channel, directory, recursive, told()) };
              if (watched.channel !== channel) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
              const gone = watched.watch.ended.then((): WatchEnd => 'directory_gone');
              return within(STEP_MS, Promise.race([gone, limits.reached]), () => undefined);
            },
            { signal },
          );
          if (end !== undefined) return end;
        }
      } finally {
        limits.clear();
        watched?.watch.close();
      }
    });
  }

  /** Ends all watches, because the process is to end. Their clients come back elsewhere. */
  endWatches(): void {
    for (const stop of this.stops) stop();
  }

  /** Watches for what ends a watch from outside. */
  private limits(signal: AbortSignal, expiresAt: number | null): { reached: Promise<WatchEnd>; clear: () => void } {
    const timers: NodeJS.Timeout[] = [];
    let stop!: () => void;
    const reached = new Promise<WatchEnd>((resolve, reject) => {
      stop = () => resolve('server_stopping');
      timers.push(setTimeout(() => resolve('time_over'), MAX_WATCH_MS));
      const left = expiresAt === null ? Infinity : expiresAt - Date.now();
      const expire = (): void => reject(new SandboxError(ErrorCode.UNAUTHORIZED, 'The credential has expired.'));
      if (left < MAX_WATCH_MS) timers.push(setTimeout(expire, left));
      const leave = (): void => reject(clientClosed());
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave, { once: true });
    });
    // It may be rejected while the call still enters its session.
    reached.catch(() => undefined);
    this.stops.add(stop);
    const clear = (): void => {
      this.stops.delete(stop);
      for (const timer of timers) clearTimeout(timer);
    };
    return { reached, clear };
  }
}
