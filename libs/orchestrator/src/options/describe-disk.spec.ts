import { loadConfig } from '@sandbox/config';
import { describeDisk } from './describe-disk';

const configOf = (env: NodeJS.ProcessEnv = {}) => loadConfig(env, { needsAuth: false });

describe('describeDisk', () => {
  it('says nothing when no session can have a disk', () => expect(describeDisk(configOf(), 'quota')).toBeNull());

  it.each([{ MAX_SESSION_DISK: '1g' }, { WORKSPACE_PERSIST_VOLUMES: 'true' }, { ALLOW_PERSISTENT_SESSIONS: 'true' }])(
    'says how it is bounded with %j',
    (env) => {
      expect(describeDisk(configOf(env), 'quota')).toMatch(/^Workspaces on disk: the kernel keeps/);
      expect(describeDisk(configOf(env), 'measured')).toMatch(/^Workspaces on disk: each sandbox measures itself/);
      expect(describeDisk(configOf(env), 'unguarded')).toMatch(/but under gVisor a command can stop that/);
    },
  );

  it('names what the runtime lacks', () => {
    const on = (SANDBOX_RUNTIME: string) => configOf({ SANDBOX_RUNTIME, MAX_SESSION_DISK: '1g' });
    for (const bound of ['measured', 'unguarded'] as const) {
      expect(describeDisk(on('docker'), bound)).toMatch(/Docker’s data root/);
      expect(describeDisk(on('kubernetes'), bound)).not.toMatch(/Docker/);
    }
  });
});
