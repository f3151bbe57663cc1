import { ErrorCode } from '@sandbox/errors';
import { execEnd } from './exec-end';

const END = { exit_code: 137, timed_out: false, oom_killed: true, disk_limit: false, duration_ms: 1, omitted: { stdout: 0, stderr: 5 } };

describe('execEnd', () => {
  it('reads the end of a command when every field is sound', () => {
    expect(execEnd(END)).toEqual({ exitCode: 137, timedOut: false, oomKilled: true, diskLimit: false, omitted: { stdout: 0, stderr: 5 } });
  });

  it.each<[string, object]>([
    ['no exit code', { exit_code: undefined }],
    ['an exit code past 255', { exit_code: 256 }],
    ['a timeout that is text', { timed_out: 'false' }],
    ['no word on memory', { oom_killed: undefined }],
    ['a number for it', { oom_killed: 1 }],
    ['text for it', { oom_killed: 'true' }],
    ['no word on the disk', { disk_limit: undefined }],
    ['text for that', { disk_limit: 'true' }],
    ['nothing omitted', { omitted: null }],
    ['less than nothing omitted', { omitted: { stdout: -1, stderr: 0 } }],
  ])('refuses the end of a command when it has %s', (_name, more) => {
    expect(() => execEnd({ ...END, ...more })).toThrow(expect.objectContaining({ code: ErrorCode.SANDBOX_LOST }));
  });
});
