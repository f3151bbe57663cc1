import type { ExecuteResult } from '@sandbox/orchestrator';
import { executeText } from './execute-text';

const RESULT: ExecuteResult = {
  stdout: '',
  stderr: '',
  exit_code: 0,
  execution_time: 0.004,
  container_id: '0123456789ab',
  timed_out: false,
  truncated: false,
  oom_killed: false,
  session_created: false,
  session_restarted: false,
};

describe('executeText', () => {
  it('leaves out a stream when it is empty', () => {
    expect(executeText(RESULT)).toBe('exit code 0 after 0.004 s');
    expect(executeText({ ...RESULT, stderr: 'no' })).toBe('exit code 0 after 0.004 s\n--- stderr ---\nno');
  });

  it('says what the limit is and what to do when memory ran out', () => {
    const text = executeText({ ...RESULT, exit_code: 137, oom_killed: true, memory_limit: 512 * 1024 ** 2 });
    expect(text).toMatch(/^exit code 137 .*\nnote: a process was killed: .*memory limit of 512 MiB .*more memory$/);
    expect(executeText(RESULT)).not.toContain('memory');
  });

  it('says so in neutral words when the call made the session', () => {
    const text = executeText({ ...RESULT, session_created: true });
    expect(text).toMatch(/^exit code 0 .*\nnote: this call made the session; .* unless the workspace is persistent$/);
    expect(executeText(RESULT)).not.toContain('session');
    const job = executeText({ job_id: 'a', session_created: true, session_restarted: false });
    expect(job).toMatch(/^started as job a: .*\nnote: this call made the session/);
  });

  it('puts notes before the output when there are some', () => {
    const text = executeText({ ...RESULT, exit_code: 124, timed_out: true, truncated: true, session_restarted: true, stdout: 'a' });
    expect(text).toMatch(/^exit code 124 \(timed out, killed\)/);
    expect(text).toMatch(/output was cut[^]*made anew[^]*--- stdout ---\na$/);
  });
});
