import { loadConfig } from '@sandbox/config';
import { limitReport } from './limit-report';

describe('limitReport', () => {
  const config = loadConfig({ SESSION_STORE: 'memory', CONTAINER_MEM_LIMIT: '300m' }, { needsAuth: false });
  const killed = { oomKilled: true, diskLimit: false };

  it('gives the memory limit of the sandbox when a process was killed, and none otherwise', () => {
    expect(limitReport({ ...killed, oomKilled: false }, config, {})).toEqual({ oom_killed: false });
    expect(limitReport(killed, config, {})).toEqual({ oom_killed: true, memory_limit: 300 * 1024 ** 2 });
    expect(limitReport(killed, config, { memory: '1g' })).toEqual({ oom_killed: true, memory_limit: 1024 ** 3 });
  });

  it('tells of the disk only when its limit was reached', () => {
    expect(limitReport({ oomKilled: false, diskLimit: true }, config, { disk: '1g' })).toEqual({ oom_killed: false, disk_limit: true });
  });
});
