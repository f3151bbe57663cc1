/** Tells a model that a process was killed for memory: the limit, and what to do. */
export function oomNotes({ oom_killed, memory_limit = 0 }: { oom_killed?: boolean; memory_limit?: number }): string[] {
  if (!oom_killed) return [];
  const limit = `${Math.floor(memory_limit / 1024 ** 2)} MiB`;
  return [
    `note: a process was killed: the sandbox’s memory limit of ${limit} was reached, to which files in /workspace and /tmp count; ` +
      'work on less at a time, delete files, or make another session with more memory',
  ];
}
