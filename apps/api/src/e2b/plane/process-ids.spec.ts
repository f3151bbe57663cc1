import { newProcess, pidOfJob, processOf } from './process-ids';

describe('the numbers of processes', () => {
  it('are even for jobs and odd for terminals, and lead to the id and back', () => {
    for (let n = 0; n < 200; n++) {
      const job = newProcess('job');
      expect(job).toEqual({ pid: expect.any(Number), kind: 'job', id: expect.stringMatching(/^[0-9a-f]{8}0{24}$/) });
      expect([processOf(job.pid), pidOfJob(job.id)]).toEqual([job, job.pid]);
      const terminal = newProcess('terminal');
      expect([processOf(terminal.pid), terminal.kind, pidOfJob(terminal.id)]).toEqual([terminal, 'terminal', null]);
    }
  });

  it('never are a number that the protocol cannot carry', () => {
    expect(processOf(2 ** 31).id).toBe(`80000000${'0'.repeat(24)}`);
    for (const pid of [0, -1, 1.5, NaN, 2 ** 31 + 1, 2 ** 32]) {
      expect(() => processOf(pid)).toThrow(expect.objectContaining({ code: 'JOB_NOT_FOUND' }));
    }
  });

  it('are not those of jobs that were started elsewhere', () => {
    expect(pidOfJob('0123456789abcdef0123456789abcdef')).toBeNull();
    expect(pidOfJob('0'.repeat(32))).toBeNull();
    expect(pidOfJob(`ffffffff${'0'.repeat(24)}`)).toBeNull();
  });
});
