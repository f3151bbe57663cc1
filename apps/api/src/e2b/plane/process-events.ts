import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Job } from '@sandbox/orchestrator';
import type { Response } from 'express';
import { logFailure } from '../../problems/log-failure';
import { MessageStream } from '../protocol/message-stream';
import { CallTime, tookTooLong } from './call-time';

/** The streams of a process, as the protocol names them. */
export type OutputName = 'stdout' | 'stderr' | 'pty';

/** Takes the output of a process, in base64. While a returned promise is pending, no more comes. */
export type TakeOutput = (name: OutputName, base64: string) => void | Promise<void>;

/** How a process ended. */
export interface ProcessEnd {
  readonly exitCode: number;
  /** The name of the signal that ended it; null if none did. */
  readonly signal: string | null;
}

/** A process whose client follows it. */
export interface FollowedProcess {
  readonly pid: number;
  /** Hands on the output until the process has ended. */
  follow(take: TakeOutput, signal: AbortSignal): Promise<ProcessEnd>;
}

/**
 * Answers with the events of a process: its start, its output and its end. The process goes on if
 * its client goes away.
 * @param timeoutMs after so long the answer ends; undefined: never
 * @param gone aborts when the client goes away
 */
export async function sendProcess(
  response: Response,
  process: FollowedProcess,
  timeoutMs: number | undefined,
  gone: AbortSignal,
): Promise<void> {
  const stream = new MessageStream(response, { event: { keepalive: {} } });
  const time = new CallTime(timeoutMs, gone);
  try {
    await stream.send({ event: { start: { pid: process.pid } } });
    const end = await process.follow((name, base64) => stream.send({ event: { data: { [name]: base64 } } }), time.signal);
    await stream.send({ event: { end: endEvent(end) } });
    stream.end();
  } catch (exception) {
    const error = time.errorOf(exception);
    if (!gone.aborted) logFailure(error, response.req.id);
    stream.end(error);
  }
}

function endEvent({ exitCode, signal }: ProcessEnd): object {
  if (signal !== null) return { exitCode, exited: false, status: `signal: ${signal}`, error: `signal: ${signal}` };
  const status = `exit status ${exitCode}`;
  return { exitCode, exited: true, status, ...(exitCode !== 0 && { error: status }) };
}

/**
 * Tells how a job ended.
 * @throws SandboxError if its time was over, or if it was lost with its sandbox
 */
export function endOfJob({ state, exit_code, signal }: Job): ProcessEnd {
  if (state === 'timed_out') throw tookTooLong();
  if (exit_code === null) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The process was lost with its sandbox.');
  return { exitCode: exit_code, signal };
}
