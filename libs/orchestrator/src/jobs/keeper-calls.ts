import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { CallOptions } from '../channel/channel';
import type { Lease } from '../session-sandboxes';
import { isJobId, parseJobLines, parseStreamPart, type KeptJob, type StreamPart } from './job-answers';
import type { JobStream } from './job-reader';

/** A call to a keeper takes no longer than this, beyond what it waits for; milliseconds. */
export const KEEPER_CALL_MS = 15_000;

/** Before a follower asks again where the answer was hasty, milliseconds. */
export const HASTY_PAUSE_MS = 1_000;

const MAX_LIST_BYTES = 4 * 1024 * 1024;

export interface KeptOutput {
  /** It brought nothing, and did not wait for it either, as a keeper would: commands may pose as one. */
  hasty: boolean;
  bytes: Record<JobStream, Buffer>;
  parts: Partial<Record<JobStream, StreamPart>>;
}

/** Reads what a keeper has past the offsets, waiting up to `waitMs` for the first byte. @throws SandboxError JOB_NOT_FOUND, RANGE_NOT_SATISFIABLE */
export async function readKept(
  lease: Lease,
  jobId: string,
  offsets: Partial<Record<JobStream, number>>,
  limit: number,
  waitMs: number,
  signal?: AbortSignal,
): Promise<KeptOutput> {
  const chunks: Record<JobStream, Buffer[]> = { stdout: [], stderr: [] };
  let size = 0;
  const onOutput: CallOptions['onOutput'] = (stream, chunk) => {
    size += chunk.length;
    if (size > limit) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than was asked for.');
    chunks[stream].push(Buffer.from(chunk));
  };
  const began = performance.now();
  const request = { op: 'job_output', job_id: knownId(jobId), offsets, limit, wait_ms: waitMs } as const;
  const answer = await lease.channel.call(request, { onOutput, signal, deadlineMs: KEEPER_CALL_MS + waitMs });
  const parts = Object.fromEntries(Object.keys(offsets).map((stream) => [stream, parseStreamPart(answer[stream])]));
  const ended = Object.values(parts).some(({ eof }) => eof);
  const hasty = size === 0 && !ended && performance.now() - began < waitMs / 2;
  return { hasty, bytes: { stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr) }, parts };
}

/** The session's jobs, and no terminals, as their keepers tell them. */
export async function listKept(lease: Lease, signal?: AbortSignal): Promise<KeptJob[]> {
  const lines: Buffer[] = [];
  let size = 0;
  const onOutput: CallOptions['onOutput'] = (_stream, chunk) => {
    size += chunk.length;
    if (size > MAX_LIST_BYTES) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave an answer that makes no sense.');
    lines.push(Buffer.from(chunk));
  };
  await lease.channel.call({ op: 'job_list' }, { signal, onOutput, deadlineMs: KEEPER_CALL_MS });
  return parseJobLines(Buffer.concat(lines)).filter(({ terminal }) => !terminal);
}

/** @throws SandboxError JOB_NOT_FOUND where it cannot be one */
export function knownId(jobId: string): string {
  if (!isJobId(jobId)) throw notFound();
  return jobId;
}

export function notFound(): SandboxError {
  return new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.');
}
