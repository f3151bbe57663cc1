import { randomInt } from 'node:crypto';
import { ErrorCode, SandboxError } from '@sandbox/errors';

/*
 * E2B names a process by a number of 32 bits, and this service names a job or a terminal by 32 hex
 * digits. The number is the beginning of the id, and the rest is zeros. So each replica knows the
 * one by the other. Even numbers are jobs, and odd ones terminals.
 */

const MAX_PID = 2 ** 31;
const ZEROS = '0'.repeat(24);

/** What a process is in this service. */
export interface ProcessId {
  readonly pid: number;
  readonly kind: 'job' | 'terminal';
  /** The id of the job or terminal. */
  readonly id: string;
}

/** Makes the number of a new process. Two of a session are never the same in practice. */
export function newProcess(kind: ProcessId['kind']): ProcessId {
  const half = randomInt(1, MAX_PID / 2);
  return processOf(kind === 'job' ? 2 * half : 2 * half - 1);
}

/**
 * Tells what a number stands for.
 * @throws SandboxError JOB_NOT_FOUND if no process can have it
 */
export function processOf(pid: number): ProcessId {
  if (!Number.isInteger(pid) || pid < 1 || pid > MAX_PID) throw new SandboxError(ErrorCode.JOB_NOT_FOUND, 'There is no such process.');
  return { pid, kind: pid % 2 === 0 ? 'job' : 'terminal', id: pid.toString(16).padStart(8, '0') + ZEROS };
}

/** @returns null for a job that was not started here */
export function pidOfJob(jobId: string): number | null {
  const pid = Number.parseInt(jobId.slice(0, 8), 16);
  return jobId.endsWith(ZEROS) && pid > 0 && pid <= MAX_PID && pid % 2 === 0 ? pid : null;
}
