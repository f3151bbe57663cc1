import type { ExecuteToolResultDto } from './execute-tool.dto';
import { limitNotes } from './limit-notes';
import { networkNotes } from './network-note';
import { newsText } from './session-news';

/** Shows a command's outcome as a terminal would. Empty streams are left out. */
export function executeText(result: ExecuteToolResultDto): string {
  return [headline(result), ...notes(result), ...stream('stdout', result.stdout), ...stream('stderr', result.stderr)].join('\n');
}

function headline({ job_id, exit_code, execution_time, timed_out }: ExecuteToolResultDto): string {
  if (job_id !== undefined) return `started as job ${job_id}: job_output reads its output, job_stop ends it`;
  return `exit code ${exit_code}${timed_out ? ' (timed out, killed)' : ''} after ${execution_time} s`;
}

function notes(result: ExecuteToolResultDto): string[] {
  const { truncated, session_restarted } = result;
  return [
    ...limitNotes(result),
    ...networkNotes(result),
    ...(truncated ? ['note: output was cut in its middle'] : []),
    ...newsText(result),
    ...(session_restarted
      ? ['note: the sandbox had to be made anew; what ran in it is gone, and files too unless the workspace is persistent']
      : []),
  ];
}

function stream(name: string, content = ''): string[] {
  return content === '' ? [] : [`--- ${name} ---`, content];
}
