import { ErrorCode, SandboxError } from '@sandbox/errors';
import { parseAgentJson, unsound } from '../channel/agent-values';
import type { AgentRequest, CallOptions } from '../channel/channel';
import { GrowingBuffer } from '../bytes/growing-buffer';
import type { OpenSandbox } from '../entering/open-sandbox';
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

/** The longest that a call to a keeper takes, besides the time for which it waits for output. */
export const KEEPER_CALL_MS = 15_000;

/** How long a follower pauses before it asks again, if the last answer was hasty. */
export const HASTY_PAUSE_MS = 1_000;

const MAX_LIST_BYTES = 4 * 1024 * 1024;
/** The longest command, written as ASCII-only JSON. */
const MAX_COMMAND_BYTES = 512 * 1024;

/** The result of one read of a job's output. */
export interface KeptOutput {
  /**
   * The answer brought nothing and came too soon: a real keeper would have waited. A command may
   * pose as a keeper.
   */
  hasty: boolean;
  bytes: Record<JobStream, Buffer>;
  parts: Partial<Record<JobStream, StreamPart>>;
}

/**
 * Reads the output that a keeper has after the offsets. Waits up to `waitMs` for the first byte.
 * @param limit the most bytes of both streams together
 * @throws SandboxError JOB_NOT_FOUND, RANGE_NOT_SATISFIABLE
 */
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
  const answer = await sandbox.channel.sendRequest(request, { onOutput, signal, deadlineMs: KEEPER_CALL_MS + waitMs });
  const parts = Object.fromEntries(Object.keys(offsets).map((stream) => [stream, parseStreamPart(answer[stream])]));
  const ended = Object.values(parts).some(({ eof }) => eof);
  const hasty = size === 0 && !ended && performance.now() - began < waitMs / 2;
  return { hasty, bytes: { stdout: bytes.stdout.takeBytes(), stderr: bytes.stderr.takeBytes() }, parts };
}

/**
 * Waits at most `waitMs` until a job has ended, and reads nothing. It may return sooner: a keeper
 * that many others ask does not wait, and a command may pose as a keeper. So ask for the job then.
 * @throws SandboxError JOB_NOT_FOUND
 */
export async function waitForKept(sandbox: OpenSandbox, jobId: string, waitMs: number, signal?: AbortSignal): Promise<void> {
  const request = { op: 'job_output', job_id: knownId(jobId), offsets: {}, limit: 1, wait_ms: waitMs } as const;
  await sandbox.channel.sendRequest(request, { signal, deadlineMs: KEEPER_CALL_MS + waitMs });
}

/**
 * Asks the keepers for the session's jobs, without the terminals. A keeper that is silent does not
 * say which of the two it is; the store knows that.
 */
export async function listKept(sandbox: OpenSandbox, signal?: AbortSignal): Promise<KeptJobs> {
  const { output } = await collect(sandbox, { op: 'job_list' }, MAX_LIST_BYTES, signal);
  const { jobs, silent } = parseJobLines(output);
  return { jobs: jobs.filter(({ terminal }) => !terminal), silent };
}

/**
 * Asks a keeper for its job.
 * @throws SandboxError JOB_NOT_FOUND, also if the id is a terminal's
 */
export async function statKept(sandbox: OpenSandbox, jobId: string, signal?: AbortSignal): Promise<KeptJob> {
  const { answer, output } = await collect(sandbox, { op: 'job_stat', job_id: knownId(jobId) }, MAX_COMMAND_BYTES, signal);
  const job = parseKeptJob(answer);
  if (job.jobId !== jobId || job.terminal) throw notFound();
  return { ...job, command: parseCommand(parsed(output)) };
}

/**
 * Lets a keeper kill its job and everything the job started, and end.
 * @throws SandboxError JOB_NOT_FOUND
 */
export async function deleteKept(sandbox: OpenSandbox, jobId: string, signal?: AbortSignal): Promise<void> {
  await sandbox.channel.sendRequest({ op: 'job_delete', job_id: knownId(jobId) }, { signal, deadlineMs: KEEPER_CALL_MS });
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
  const answer = await sandbox.channel.sendRequest(request, { signal, onOutput, deadlineMs: KEEPER_CALL_MS });
  return { answer, output: bytes.takeBytes() };
}

function parsed(text: Buffer): unknown {
  try {
    return parseAgentJson(text.toString('utf8'));
  } catch {
    throw unsound();
  }
}

/**
 * Checks that a job id is well formed.
 * @throws SandboxError JOB_NOT_FOUND if it is not
 */
export function knownId(jobId: string): string {
  if (!isJobId(jobId)) throw notFound();
  return jobId;
}

/** @throws the given error, unless it says that there is no such job */
export function ignoreNotFound(error: unknown): void {
  if (!(error instanceof SandboxError) || error.code !== ErrorCode.JOB_NOT_FOUND) throw error;
}

export function notFound(): SandboxError {
  return new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such job.');
}
