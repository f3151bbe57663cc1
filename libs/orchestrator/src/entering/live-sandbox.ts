import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionRecord } from '@sandbox/sessions';
import { type Channel, RequestNotSentError } from '../channel/channel';
import type { SessionConnections } from './session-connections';

/**
 * Does `work` in the sandbox of a live session. It makes and starts no sandbox. If the channel
 * turns out to be closed before anything was sent, `work` runs a second time.
 * @param absent makes the error for a sandbox that does not run
 */
export async function inLiveSandbox<T>(
  connections: Pick<SessionConnections, 'joinSandbox'>,
  record: SessionRecord,
  absent: () => SandboxError,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  for (let isSecond = false; ; isSecond = true) {
    const channel = await connections.joinSandbox(record);
    if (channel === null) throw absent();
    try {
      return await work(channel);
    } catch (error) {
      if (!(error instanceof RequestNotSentError)) throw error;
      if (isSecond) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.', { cause: error });
    }
  }
}

/** Makes the error for a session that is not there, or whose sandbox does not run. */
export function sessionNotFound(): SandboxError {
  return new SandboxError(ErrorCode.SESSION_NOT_FOUND, 'There is no such session, or its sandbox does not run. A command in it makes one.');
}
