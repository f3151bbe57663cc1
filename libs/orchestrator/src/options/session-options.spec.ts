import { createCommandPolicy } from '@sandbox/command-policy';
import { loadConfig } from '@sandbox/config';
import { checkSessionOptions } from './session-options';

const config = loadConfig({ SESSION_STORE: 'memory', ALLOW_PERSISTENT_SESSIONS: 'true' }, { needsAuth: false });
const policy = createCommandPolicy(['*']);

describe('checkSessionOptions', () => {
  it.each([{ pids: 32 }, { persistent: true }])('refuses %j when the runtime has no such thing', (options) => {
    const [field] = Object.keys(options);
    const check = (has: boolean) => () => checkSessionOptions({ config, policy, capabilities: { pids: has, persistent: has } }, options);
    expect(check(true)).not.toThrow();
    expect(check(false)).toThrow(
      expect.objectContaining({
        errors: [{ field, message: `${field} cannot be had with the runtime of this deployment` }],
      }),
    );
  });
});
