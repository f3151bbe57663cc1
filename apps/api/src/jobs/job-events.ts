import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Job, JobOffsets, JobWatcher } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { EventStream } from '../request/event-stream';

/**
 * Reads where the client's last answer broke off, from the `Last-Event-ID` that browsers send by
 * themselves. An id holds the offsets in both streams.
 * @returns undefined if the client sends none
 * @throws SandboxError BAD_REQUEST if it is none of these ids
 */
export function lastOffsets(request: Request): JobOffsets | undefined {
  const id = request.headers['last-event-id'];
  if (id === undefined) return undefined;
  const [, stdout, stderr] = /^(\d{1,15})-(\d{1,15})$/.exec(String(id)) ?? [];
  if (stdout === undefined || stderr === undefined)
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'Last-Event-ID is none of these events’.');
  return { stdout: Number(stdout), stderr: Number(stderr) };
}

/**
 * Answers with a job's output as events: `stdout`, `stderr` and `gap`, and last `end` with the job,
 * or `error`.
 */
export async function sendJobOutput(response: Response, follow: (watcher: JobWatcher) => Promise<Job>): Promise<void> {
  const events = new EventStream(response);
  try {
    const job = await follow({
      output: (stream, data, next) => events.sendEvent(stream, { data }, eventId(next)),
      gap: (stream, bytes, next) => events.sendEvent('gap', { stream, bytes }, eventId(next)),
    });
    void events.sendEvent('end', job);
    events.endStream();
  } catch (exception) {
    events.sendProblem(exception);
  }
}

function eventId({ stdout, stderr }: JobOffsets): string {
  return `${stdout}-${stderr}`;
}
