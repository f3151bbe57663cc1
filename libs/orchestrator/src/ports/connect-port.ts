import type { Duplex } from 'node:stream';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Channel } from '../channel/channel';
import { StreamError, StreamErrorCode } from '../channel/stream-error';

/** A program may listen on one of the two alone: `localhost` means either. */
const ADDRESSES = ['127.0.0.1', '::1'] as const;
const REFUSED = 'CONNECTION_REFUSED';
const TIMED_OUT = 'CONNECTION_TIMED_OUT';
const EXHAUSTED = 'SANDBOX_EXHAUSTED';

/**
 * Connects to a port of the sandbox's own loopback.
 * @param idleMs the connection is broken off if nothing moves for so long
 * @throws SandboxError PORT_UNREACHABLE, TOO_MANY_CONNECTIONS, SANDBOX_LOST, SANDBOX_EXHAUSTED;
 *   RequestNotSentError if the channel was closed already
 */
export async function connectPort(channel: Channel, port: number, idleMs: number): Promise<Duplex> {
  let first: StreamError | undefined;
  for (const address of ADDRESSES) {
    try {
      const { stream } = await channel.openStream({ kind: 'connect', port, address }, { idleMs });
      if (!stream.destroyed) return stream;
      throw new StreamError(StreamErrorCode.STREAM_CLOSED, 'The connection broke off at once.');
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      // If neither takes the connection, the answer is about IPv4, since a sandbox may have no
      // IPv6.
      first ??= error;
      if (first.code !== REFUSED) break;
    }
  }
  throw refusal(first!, port);
}

function refusal(error: StreamError, port: number): SandboxError {
  const { code } = error;
  if (code === REFUSED) return new SandboxError(ErrorCode.PORT_UNREACHABLE, `Nothing listens on port ${port}.`);
  if (code === TIMED_OUT) return new SandboxError(ErrorCode.PORT_UNREACHABLE, `What listens on port ${port} takes no connection.`);
  if (code === StreamErrorCode.TOO_MANY_STREAMS) return tooManyConnections('The session has too many connections already.');
  if (code === StreamErrorCode.SANDBOX_LOST) return new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox ended during the call.');
  if (code === EXHAUSTED) return new SandboxError(ErrorCode.SANDBOX_EXHAUSTED, 'The sandbox is out of memory or processes.');
  return new SandboxError(ErrorCode.PORT_UNREACHABLE, `The connection to port ${port} failed.`, { cause: error });
}

export function tooManyConnections(detail: string): SandboxError {
  return new SandboxError(ErrorCode.TOO_MANY_CONNECTIONS, detail, { retryAfter: 1 });
}
