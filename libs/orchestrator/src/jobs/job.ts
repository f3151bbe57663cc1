import type { Config } from '@sandbox/config';
import type { JobRecord, SandboxOptions } from '@sandbox/sessions';
import { oomReport, type OomReport } from '../commands/oom';
import type { OpenSandbox } from '../entering/session-connections';
import type { ShellCommand } from '../commands/shell-command';
import type { JobState, JobStream, KeptJob } from '../keepers/job-answers';

/** A command to be started as a job. Field names are those of REST. */
export interface JobCommand extends ShellCommand {
  /** The beginning of its input. */
  stdin?: string;
  /** Input may follow later; else it ends with `stdin`. */
  open_stdin?: boolean;
  /** Seconds. */
  timeout?: number;
}

export interface Job extends OomReport {
  job_id: string;
  command: string;
  state: JobState;
  /** As the shell gives it; null while it runs, and of a lost job. */
  exit_code: number | null;
  /** Name of the signal that ended it. */
  signal: string | null;
  started_at: string;
  ended_at: string | null;
  /** Written in all; null of a lost job, and where its keeper does not answer. */
  stdout_bytes: number | null;
  stderr_bytes: number | null;
}

export interface StartedJob extends Job {
  /** This call made the session. */
  session_created: boolean;
  session_restarted: boolean;
}

export interface OutputQuery {
  stream?: JobStream;
  /** Bytes from the stream's beginning. */
  offset?: number;
  /** Bytes. */
  limit?: number;
  encoding?: 'utf8' | 'base64';
  /** For news past the offset, or the job's end. */
  wait_seconds?: number;
}

export interface JobOutput {
  data: string;
  next_offset: number;
  /** Nothing will follow. */
  eof: boolean;
  /** Bytes between the offset asked for and the first of `data` that were dropped. */
  gap: number;
}

/** So young, a job that its sandbox does not know may be one that is just being started, milliseconds. */
const STARTING_MS = 15_000;

/** A job of which its sandbox tells. */
export function keptJob(job: KeptJob, config: Config, options: SandboxOptions): Job {
  const { jobId, command, state, exitCode, signal, startedAt, endedAt, stdoutBytes, stderrBytes } = job;
  return {
    job_id: jobId,
    command,
    state,
    exit_code: exitCode,
    signal,
    started_at: new Date(startedAt).toISOString(),
    ended_at: endedAt === null ? null : new Date(endedAt).toISOString(),
    ...oomReport(job.oomKilled, config, options),
    stdout_bytes: stdoutBytes,
    stderr_bytes: stderrBytes,
  };
}

export function startingJob({ jobId, command, startedAt }: Pick<JobRecord, 'jobId' | 'command' | 'startedAt'>): Job {
  const none = { exit_code: null, signal: null, ended_at: null, oom_killed: false, stdout_bytes: 0, stderr_bytes: 0 };
  return { job_id: jobId, command, state: 'running', started_at: new Date(startedAt).toISOString(), ...none };
}

/** A job whose keeper is there and does not answer. */
export function silentJob(job: JobRecord): Job {
  return { ...startingJob(job), stdout_bytes: null, stderr_bytes: null };
}

/**
 * A job that its sandbox does not know. If the sandbox is the one that the job was started in, in
 * the same start, a young job may be about to begin.
 */
export function absentJob(job: JobRecord, { containerId, startId }: Pick<OpenSandbox, 'containerId' | 'startId'>, now: number): Job {
  const same = job.containerId === containerId && (job.startId === null || job.startId === startId);
  const starting = same && now - job.startedAt < STARTING_MS;
  return starting ? startingJob(job) : { ...startingJob(job), state: 'lost', stdout_bytes: null, stderr_bytes: null };
}
