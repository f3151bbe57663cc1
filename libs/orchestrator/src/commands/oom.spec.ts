import { loadConfig } from '@sandbox/config';
import { oomReport } from './oom';

describe('oomReport', () => {
  const config = loadConfig({ SESSION_STORE: 'memory', CONTAINER_MEM_LIMIT: '300m' }, { needsAuth: false });

  it('gives the limit of the sandbox when a process was killed, and none otherwise', () => {
    expect(oomReport(false, config, {})).toEqual({ oom_killed: false });
    expect(oomReport(true, config, {})).toEqual({ oom_killed: true, memory_limit: 300 * 1024 ** 2 });
    expect(oomReport(true, config, { memory: '1g' })).toEqual({ oom_killed: true, memory_limit: 1024 ** 3 });
  });
});
