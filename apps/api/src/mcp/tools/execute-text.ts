import type { ExecuteResult } from '@sandbox/orchestrator';

/** A command's outcome as a terminal would show it; streams that are empty are left out. */
export function executeText(result: ExecuteResult): string {
  return [headline(result), ...notes(result), ...stream('stdout', result.stdout), ...stream('stderr', result.stderr)].join('\n');
}

function headline({ exit_code, execution_time, timed_out }: ExecuteResult): string {
  return `exit code ${exit_code}${timed_out ? ' (timed out, killed)' : ''} after ${execution_time} s`;
}

function notes({ truncated, session_restarted }: ExecuteResult): string[] {
  return [
    ...(truncated ? ['note: output was cut in its middle'] : []),
    ...(session_restarted
      ? ['note: the sandbox had to be made anew; what ran in it is gone, and files too unless the workspace is persistent']
      : []),
  ];
}

function stream(name: string, content: string): string[] {
  return content === '' ? [] : [`--- ${name} ---`, content];
}
