import { constants } from 'node:os';
import { parseCount, parseObject, parseAgentJson, parseFlag, unsound } from '../channel/agent-values';
import { plainText } from '../channel/agent-answer';

export const JOB_STATES = ['running', 'exited', 'killed', 'timed_out', 'lost'] as const;
export type JobState = (typeof JOB_STATES)[number];

export type JobStream = 'stdout' | 'stderr';

/** A job as its keeper in the sandbox describes it. Times are milliseconds since the epoch. */
export interface KeptJob {
  jobId: string;
  command: string;
  state: Exclude<JobState, 'lost'>;
  exitCode: number | null;
  /** The name of the signal that ended the job, such as `SIGKILL`; null if none did. */
  signal: string | null;
  startedAt: number;
  /** The kernel killed a process of the sandbox for memory while the job ran. */
  oomKilled: boolean;
  diskLimit: boolean;
  /** When the job's time is over. */
  endsBy: number;
  endedAt: number | null;
  stdoutBytes: number;
  stderrBytes: number;
  /** It is a terminal and no job. Both have the same kind of keeper. */
  terminal: boolean;
}

/** The jobs and terminals that a sandbox lists, each once. */
export interface KeptJobs {
  readonly jobs: KeptJob[];
  /** Ids of those whose keeper exists but did not answer in time. They may be running. */
  readonly silent: ReadonlySet<string>;
}

/** One stream's part of a read. */
export interface StreamPart {
  /** The offset of the byte after the last one read. */
  nextOffset: number;
  /** How many bytes after the requested offset were dropped, before the first one read. */
  gap: number;
  eof: boolean;
}

const ID = /^[0-9a-f]{32}$/;
const MAX_COMMAND_CHARACTERS = 32_000;
/** An agent lists at most this many jobs and terminals together. */
const MAX_LINES = 256;

export function isJobId(text: unknown): text is string {
  return typeof text === 'string' && ID.test(text);
}

/**
 * Reads what a keeper says of a job, except for the command. The answer comes out of the sandbox,
 * and a command there may pose as a keeper.
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense
 */
export function parseKeptJob(answer: unknown): Omit<KeptJob, 'command'> {
  const { job_id, state, exit_code, signal, started_at, ends_by, ended_at, stdout_bytes, stderr_bytes, terminal, ...limits } =
    parseObject(answer);
  if (!isJobId(job_id) || !isKeptState(state)) throw unsound();
  const exitCode = state === 'running' ? null : parseCount(exit_code);
  if (exitCode !== null && exitCode > 255) throw unsound();
  return {
    jobId: job_id,
    state,
    exitCode,
    signal: state === 'killed' ? signalName(signal) : null,
    startedAt: time(started_at),
    endsBy: time(ends_by),
    endedAt: state === 'running' ? null : time(ended_at),
    // The keeper of a job that an older API started does not send these fields.
    oomKilled: limits.oom_killed === true,
    diskLimit: limits.disk_limit === true,
    stdoutBytes: parseCount(stdout_bytes),
    stderrBytes: parseCount(stderr_bytes),
    terminal: parseFlag(terminal),
  };
}

/**
 * Reads what a keeper says of one stream.
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense
 */
export function parseStreamPart(answer: unknown): StreamPart {
  const { next_offset, gap, eof } = parseObject(answer);
  if (typeof eof !== 'boolean') throw unsound();
  return { nextOffset: parseCount(next_offset), gap: parseCount(gap), eof };
}

/**
 * Reads a job's command.
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense
 */
export function parseCommand(command: unknown): string {
  if (typeof command !== 'string' || command.length > 2 * MAX_COMMAND_CHARACTERS) throw unsound();
  return command;
}

/**
 * Reads a list of jobs, one a line. Lines that make no sense are left out, because a command that
 * poses as a keeper must not hide the other jobs.
 * @throws SandboxError SANDBOX_LOST if there are more lines than an agent sends
 */
export function parseJobLines(answer: Buffer): KeptJobs {
  const lines = answer.toString('utf8').split('\n', MAX_LINES + 2);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MAX_LINES) throw unsound();
  const jobs = new Map<string, KeptJob>();
  const silent = new Set<string>();
  for (const line of lines) {
    const job = parseJobLine(line);
    if (job !== null && 'silent' in job) silent.add(job.silent);
    else if (job !== null) jobs.set(job.jobId, job);
  }
  return { jobs: [...jobs.values()], silent };
}

function parseJobLine(line: string): KeptJob | { silent: string } | null {
  try {
    const job = parseObject(parseAgentJson(line));
    if (job.silent === true) return isJobId(job.job_id) ? { silent: job.job_id } : null;
    return { ...parseKeptJob(job), command: parseCommand(job.command) };
  } catch {
    return null;
  }
}

function isKeptState(state: unknown): state is KeptJob['state'] {
  return state !== 'lost' && (JOB_STATES as readonly unknown[]).includes(state);
}

function signalName(number: unknown): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  return known?.[0] ?? plainText(`signal ${parseCount(number)}`);
}

/** Converts seconds to whole milliseconds. A time that no Date can hold is refused. */
function time(seconds: unknown): number {
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < 8e12)) throw unsound();
  return Math.round(seconds * 1000);
}
