import type { Sandbox } from '@sandbox/client';
import { interruption } from '../interruption';
import { note, OUTPUT, printJson, printTable, write } from '../printing';

export async function listJobs({ jobs }: Sandbox, json: boolean): Promise<void> {
  const all = await jobs.list();
  if (json) return printJson(all);
  await printTable(
    ['JOB', 'STATE', 'EXIT', 'STARTED', 'COMMAND'],
    all.map(({ jobId, state, exitCode, startedAt, command }) => [
      jobId,
      state,
      exitCode?.toString() ?? '',
      startedAt,
      command.slice(0, 80),
    ]),
  );
}

/** Prints what a job has written. @param follow whether to go on until the job ends */
export async function logs({ jobs }: Sandbox, jobId: string, follow: boolean): Promise<void> {
  const { signal, interrupted } = interruption();
  const job = jobs.get(jobId);
  const { stdoutBytes, stderrBytes, state } = await job.getInfo({ signal });
  let left = follow || state !== 'running' ? Infinity : (stdoutBytes ?? 0) + (stderrBytes ?? 0);
  if (left === 0) return;
  try {
    for await (const event of job.follow({ signal, format: 'bytes' })) {
      if (event.type === 'end') return;
      if (event.type === 'gap') {
        note(`${event.bytes} bytes of ${event.stream} are not kept any more`);
        left -= event.bytes;
      } else {
        await write(OUTPUT[event.type], event.data);
        left -= event.data.length;
      }
      if (left <= 0) return;
    }
  } catch (error) {
    if (!interrupted()) throw error; // the job goes on
  }
}
