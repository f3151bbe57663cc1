import type { Config } from '@sandbox/config';
import type { JobRecord, SandboxOptions } from '@sandbox/sessions';
import { limitReport, type LimitReport } from '../commands/limit-report';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { NetworkReport } from '../outgoing/network-report';
import type { ShellCommand } from '../commands/shell-command';
import type { JobState, JobStream, KeptJob } from '../keepers/job-answers';

/** A command to start as a job. The field names are those of REST. */
export interface JobCommand extends ShellCommand {
  /** The first part of the job's input. */
  stdin?: string;
  /** More input may follow later. Otherwise the input ends with `stdin`. */
  open_stdin?: boolean;
  /** Seconds. */
  timeout?: number;
}

/** A job as the API shows it. The field names are those of REST. */
export interface Job extends LimitReport, NetworkReport {
  job_id: string;
  command: string;
  state: JobState;
  /** The shell's exit code. Null while the job runs, and for a lost job. */
  exit_code: number | null;
  /** The name of the signal that ended the job; null if none did. */
  signal: string | null;
  started_at: string;
  ended_at: string | null;
  /** Bytes written in all. Null for a lost job, and if the job's keeper does not answer. */
  stdout_bytes: number | null;
  stderr_bytes: number | null;
}

export interface StartedJob extends Job {
  /** This call created the session. */
  session_created: boolean;
  session_restarted: boolean;
}

export interface OutputQuery {
  stream?: JobStream;
  /** The first byte to return, counted from the start of the stream. */
  offset?: number;
  /** The most bytes to return. */
  limit?: number;
  encoding?: 'utf8' | 'base64';
  /** How long to wait for new output after the offset, or for the job's end. */
  wait_seconds?: number;
}

export interface JobOutput {
  data: string;
  next_offset: number;
  /** No more output will follow. */
  eof: boolean;
  /** How many bytes after the requested offset were dropped, so that `data` begins later. */
  gap: number;
}

/** A job may be about to start if its sandbox does not know it and it is younger than this. */
const STARTING_MS = 15_000;

/** Describes a job by what its keeper in the sandbox says. */
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
    ...limitReport(job, config, options),
    stdout_bytes: stdoutBytes,
    stderr_bytes: stderrBytes,
  };
}

/** Describes a job that is about to start. */
export function startingJob({ jobId, command, startedAt }: Pick<JobRecord, 'jobId' | 'command' | 'startedAt'>): Job {
  const none = { exit_code: null, signal: null, ended_at: null, oom_killed: false, stdout_bytes: 0, stderr_bytes: 0 };
  return { job_id: jobId, command, state: 'running', started_at: new Date(startedAt).toISOString(), ...none };
}

/** Describes a job whose keeper exists but does not answer. */
export function silentJob(job: JobRecord): Job {
  return { ...startingJob(job), stdout_bytes: null, stderr_bytes: null };
}

/**
 * Describes a job that its sandbox does not know. The job is `lost`, unless it is young and its
 * sandbox still has the same start: then it may be about to begin.
 */
export function absentJob(job: JobRecord, { containerId, startId }: Pick<OpenSandbox, 'containerId' | 'startId'>, now: number): Job {
  const same = job.containerId === containerId && (job.startId === null || job.startId === startId);
  const starting = same && now - job.startedAt < STARTING_MS;
  return starting ? startingJob(job) : { ...startingJob(job), state: 'lost', stdout_bytes: null, stderr_bytes: null };
}
