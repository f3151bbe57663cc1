import { absentJob } from './job';

const NOW = 1_800_000_000_000;
const JOB = { jobId: 'a'.repeat(32), containerId: 'c', startId: 's', command: 'make', startedAt: NOW - 1_000, deadline: NOW + 60_000 };

describe('absentJob', () => {
  it.each([
    ['running', 'it is young and its sandbox the same', JOB, { containerId: 'c', startId: 's' }],
    ['running', 'an older version has noted it, without a start', { ...JOB, startId: null }, { containerId: 'c', startId: 's' }],
    ['lost', 'its sandbox has been started anew', JOB, { containerId: 'c', startId: 's2' }],
    ['lost', 'its sandbox is another', { ...JOB, startId: null }, { containerId: 'c2', startId: 's' }],
    ['lost', 'it has had the time to start', { ...JOB, startedAt: NOW - 60_000 }, { containerId: 'c', startId: 's' }],
  ])('is %s when %s', (state, _why, job, sandbox) => {
    expect(absentJob(job, sandbox, NOW)).toMatchObject({ job_id: JOB.jobId, state, oom_killed: false });
  });
});
