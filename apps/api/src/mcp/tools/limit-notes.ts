import type { LimitReport } from '@sandbox/orchestrator';

const DISK_NOTE =
  'note: the session’s disk reached its limit, in bytes or in files, so its commands were ended or could not write; ' +
  'delete files, or make another session with a larger disk';

/** Tells a model which limit of the sandbox was reached, and what to do. */
export function limitNotes({ oom_killed, memory_limit = 0, disk_limit }: Partial<LimitReport>): string[] {
  const limit = `${Math.floor(memory_limit / 1024 ** 2)} MiB`;
  const memoryNote =
    `note: a process was killed: the sandbox’s memory limit of ${limit} was reached, to which files in /tmp and in a /workspace without disk count; ` +
    'work on less at a time, delete files, or make another session with more memory';
  return [...(oom_killed ? [memoryNote] : []), ...(disk_limit ? [DISK_NOTE] : [])];
}
