import { ErrorCode, SandboxError } from '@sandbox/errors';
import { parseAgentJson, unsound } from '../channel/agent-values';
import type { AgentRequest, CallOptions } from '../channel/channel';
import { GrowingBuffer } from '../bytes/growing-buffer';
import type { OpenSandbox } from '../entering/session-connections';
import {
  isJobId,
  parseCommand,
  parseJobLines,
  parseKeptJob,
  parseStreamPart,
  type JobStream,
  type KeptJob,
  type KeptJobs,
  type StreamPart,
} from './job-answers';

/** A call to a keeper takes no longer than this, beyond what it waits for; milliseconds. */
export const KEEPER_CALL_MS = 15_000;

/** Before a follower asks again where the answer was hasty, milliseconds. */
export const HASTY_PAUSE_MS = 1_000;

const MAX_LIST_BYTES = 4 * 1024 * 1024;
/** A command's longest, as JSON that is ASCII alone. */
const MAX_COMMAND_BYTES = 512 * 1024;

export interface KeptOutput {
  /** It brought nothing, and did not wait for it either, as a keeper would: commands may pose as one. */
  hasty: boolean;
  bytes: Record<JobStream, Buffer>;
  parts: Partial<Record<JobStream, StreamPart>>;
}

/** Reads what a keeper has past the offsets, waiting up to `waitMs` for the first byte. @throws SandboxError JOB_NOT_FOUND, RANGE_NOT_SATISFIABLE */
export async function readKept(
  sandbox: OpenSandbox,
  jobId: string,
  offsets: Partial<Record<JobStream, number>>,
  limit: number,
  waitMs: number,
  signal?: AbortSignal,
): Promise<KeptOutput> {
  const bytes: Record<JobStream, GrowingBuffer> = { stdout: new GrowingBuffer(limit), stderr: new GrowingBuffer(limit) };
  let size = 0;
  const onOutput: CallOptions['onOutput'] = (stream, chunk) => {
    size += chunk.length;
    if (size > limit) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than was asked for.');
    bytes[stream].append(chunk);
  };
  const began = performance.now();
  const request = { op: 'job_output', job_id: knownId(jobId), offsets, limit, wait_ms: waitMs } as const;
  const answer = await sandbox.channel.call(request, { onOutput, signal, deadlineMs: KEEPER_CALL_MS + waitMs });
  const parts = Object.fromEntries(Object.keys(offsets).map((stream) => [stream, parseStreamPart(answer[stream])]));
  const ended = Object.values(parts).some(({ eof }) => eof);
  const hasty = size === 0 && !ended && performance.now() - began < waitMs / 2;
  return { hasty, bytes: { stdout: bytes.stdout.take(), stderr: bytes.stderr.take() }, parts };
}

/** The session's jobs, and no terminals, as their keepers tell them. Which of the silent ones are jobs, the store knows. */
export async function listKept(sandbox: OpenSandbox, signal?: AbortSignal): Promise<KeptJobs> {
  const { output } = await collect(sandbox, { op: 'job_list' }, MAX_LIST_BYTES, signal);
  const { jobs, silent } = parseJobLines(output);
  return { jobs: jobs.filter(({ terminal }) => !terminal), silent };
}

/** A job as its keeper tells it. @throws SandboxError JOB_NOT_FOUND, also of a terminal */
export async function statKept(sandbox: OpenSandbox, jobId: string, signal?: AbortSignal): Promise<KeptJob> {
  const { answer, output } = await collect(sandbox, { op: 'job_stat', job_id: knownId(jobId) }, MAX_COMMAND_BYTES, signal);
  const job = parseKeptJob(answer);
  if (job.jobId !== jobId || job.terminal) throw notFound();
  return { ...job, command: parseCommand(parsed(output)) };
}

async function collect(
  sandbox: OpenSandbox,
  request: AgentRequest,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ answer: Record<string, unknown>; output: Buffer }> {
  const bytes = new GrowingBuffer(maxBytes);
  const onOutput: CallOptions['onOutput'] = (_stream, chunk) => {
    if (bytes.length + chunk.length > maxBytes) throw unsound();
    bytes.append(chunk);
  };
  const answer = await sandbox.channel.call(request, { signal, onOutput, deadlineMs: KEEPER_CALL_MS });
  return { answer, output: bytes.take() };
}

function parsed(text: Buffer): unknown {
  try {
    return parseAgentJson(text.toString('utf8'));
  } catch {
    throw unsound();
  }
}

/** @throws SandboxError JOB_NOT_FOUND where it cannot be one */
export function knownId(jobId: string): string {
  if (!isJobId(jobId)) throw notFound();
  return jobId;
}

export function notFound(): SandboxError {
  return new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.');
}
