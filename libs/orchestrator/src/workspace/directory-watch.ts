import type { Duplex } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { linesOf } from '../bytes/lines-of';
import { AGENT_CODES } from '../channel/agent-answer';
import { unsound } from '../channel/agent-values';
import type { Channel } from '../channel/channel';
import { StreamError, StreamErrorCode } from '../channel/stream-error';
import type { WorkspacePath } from '../paths/workspace-path';
import type { WorkspaceStat } from './stat-answer';
import { type LostChanges, parseWatchLine, type WatchLine, type WorkspaceChange } from './watch-lines';

/** Two paths of PATH_MAX, each of whose bytes JSON writes with six, fit. */
const MAX_LINE_BYTES = 64 * 1024;
/** The longest time until all directories are watched. */
const READY_MS = 60_000;

/** Learns of the changes in a directory. While a returned promise is pending, no more is read. */
export interface ChangeWatcher {
  /** All directories are watched. It comes first, and once. */
  ready(): void | Promise<void>;
  /** @param entry what has changed, if the caller asks for it; null if it is not there any more */
  change(change: WorkspaceChange, entry?: WorkspaceStat | null): void | Promise<void>;
  /** Changes are not told. After `overflow` the caller has to look at the directory again. */
  lost(lost: LostChanges): void | Promise<void>;
}

/** A directory that the agent watches. */
export class DirectoryWatch {
  /** Resolves when the directory was removed or moved. Rejects if the watch breaks off. */
  readonly ended: Promise<void>;

  private constructor(
    private readonly stream: Duplex,
    private readonly watcher: ChangeWatcher,
  ) {
    this.ended = this.follow();
    // The owner may look at it late.
    this.ended.catch(() => undefined);
  }

  /**
   * Asks the agent to watch a directory.
   * @throws RequestNotSentError if the channel was closed already; SandboxError
   */
  static async open(channel: Channel, directory: WorkspacePath, recursive: boolean, watcher: ChangeWatcher): Promise<DirectoryWatch> {
    try {
      const { stream } = await channel.openStream({ kind: 'watch' }, { idleMs: Infinity });
      stream.write(`${JSON.stringify({ ...directory, recursive })}\n`);
      return new DirectoryWatch(stream, watcher);
    } catch (error) {
      throw watchError(error);
    }
  }

  /** Ends the watch, if it has not ended. `ended` rejects then. */
  close(): void {
    this.stream.destroy();
  }

  private async follow(): Promise<void> {
    const late = setTimeout(() => this.stream.destroy(tooLate()), READY_MS);
    let ready = false;
    try {
      for await (const line of linesOf(this.stream, MAX_LINE_BYTES, unsound)) {
        const found = parseWatchLine(line);
        if (ready === (found.kind === 'ready')) throw unsound();
        ready = true;
        clearTimeout(late);
        const taken = this.hand(found);
        if (taken !== undefined) await taken;
      }
      if (!ready) throw unsound();
    } catch (error) {
      this.stream.destroy();
      throw watchError(error);
    } finally {
      clearTimeout(late);
    }
  }

  private hand(found: WatchLine): void | Promise<void> {
    if (found.kind === 'change') return this.watcher.change(found.change);
    return found.kind === 'lost' ? this.watcher.lost(found.lost) : this.watcher.ready();
  }
}

/** Says of a stream that was refused or broke off what a client is told. */
function watchError(error: unknown): unknown {
  if (!(error instanceof StreamError)) return error;
  const { code, message } = error;
  if (code === StreamErrorCode.TOO_MANY_STREAMS) return new SandboxError(ErrorCode.TOO_MANY_CONNECTIONS, message, { retryAfter: 1 });
  if (code === StreamErrorCode.SANDBOX_LOST) return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
  if (AGENT_CODES.has(code)) return new SandboxError(code as ErrorCode, message);
  return new SandboxError(ErrorCode.SANDBOX_LOST, 'The watch broke off.', { cause: error });
}

function tooLate(): SandboxError {
  return new SandboxError(ErrorCode.REQUEST_TIMEOUT, `The sandbox did not watch the directory within ${READY_MS / 1000} s.`);
}
