import { constants } from 'node:os';
import { count, object, unsound } from '../agent-values';
import { plainText } from '../channel/agent-answer';

export const JOB_STATES = ['running', 'exited', 'killed', 'timed_out', 'lost'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** A job as its keeper in the sandbox tells it. Times are milliseconds since the epoch. */
export interface KeptJob {
  jobId: string;
  command: string;
  state: Exclude<JobState, 'lost'>;
  exitCode: number | null;
  /** `SIGKILL`; null where none ended it. */
  signal: string | null;
  startedAt: number;
  /** When its time is over. */
  endsBy: number;
  endedAt: number | null;
  stdoutBytes: number;
  stderrBytes: number;
  /** It is no job but a terminal, which is kept in the same way. */
  terminal: boolean;
}

/** What was read of one stream. */
export interface StreamPart {
  /** Of the byte after the last. */
  nextOffset: number;
  /** Bytes dropped between the offset asked for and the first byte here. */
  gap: number;
  eof: boolean;
}

const ID = /^[0-9a-f]{32}$/;
const MAX_COMMAND_CHARACTERS = 32_000;

export function isJobId(text: unknown): text is string {
  return typeof text === 'string' && ID.test(text);
}

/**
 * Reads a keeper's account. It comes out of the sandbox, whose commands may pose as one.
 * @throws SandboxError SANDBOX_LOST where it makes no sense
 */
export function parseKeptJob(answer: unknown): KeptJob {
  const { job_id, command, state, exit_code, signal, started_at, ends_by, ended_at, stdout_bytes, stderr_bytes, terminal } = object(answer);
  if (!isJobId(job_id) || typeof command !== 'string' || command.length > 2 * MAX_COMMAND_CHARACTERS || !isKeptState(state))
    throw unsound();
  const exitCode = state === 'running' ? null : count(exit_code);
  if (exitCode !== null && exitCode > 255) throw unsound();
  return {
    jobId: job_id,
    command,
    state,
    exitCode,
    signal: state === 'killed' ? signalName(signal) : null,
    startedAt: time(started_at),
    endsBy: time(ends_by),
    endedAt: state === 'running' ? null : time(ended_at),
    stdoutBytes: count(stdout_bytes),
    stderrBytes: count(stderr_bytes),
    terminal: terminal === true,
  };
}

/** @throws SandboxError as parseKeptJob */
export function parseStreamPart(answer: unknown): StreamPart {
  const { next_offset, gap, eof } = object(answer);
  if (typeof eof !== 'boolean') throw unsound();
  return { nextOffset: count(next_offset), gap: count(gap), eof };
}

/** One line a job; lines that make no sense are left out, as one command's pretence must not hide the other jobs. */
export function parseJobLines(answer: Buffer): KeptJob[] {
  return answer
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [parseKeptJob(JSON.parse(line))];
      } catch {
        return [];
      }
    });
}

function isKeptState(state: unknown): state is KeptJob['state'] {
  return state !== 'lost' && (JOB_STATES as readonly unknown[]).includes(state);
}

function signalName(number: unknown): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  return known?.[0] ?? plainText(`signal ${count(number)}`);
}

/** Seconds to milliseconds, whole, and within what a Date can hold. */
function time(seconds: unknown): number {
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < 8e12)) throw unsound();
  return Math.round(seconds * 1000);
}
