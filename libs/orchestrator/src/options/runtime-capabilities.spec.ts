import { loadConfig } from '@sandbox/config';
import { measuredBound, unmetSettings } from './runtime-capabilities';

const configOf = (env: Record<string, string>) => loadConfig({ SESSION_STORE: 'memory', ...env }, { needsAuth: false });
const ALL = { pids: true, persistent: true, disk: true, ociRuntime: true };

describe('unmetSettings', () => {
  it.each([
    [{ CONTAINER_RUNTIME: 'runsc' }, 'ociRuntime'],
    [{ ALLOW_PERSISTENT_SESSIONS: 'true' }, 'persistent'],
    [{ MAX_SESSION_DISK: '1g' }, 'disk'],
    [{ WORKSPACE_PERSIST_VOLUMES: 'true' }, 'persistent'],
  ] as const)('names %j when the runtime has no %s', (env, capability) => {
    const [name] = Object.keys(env);
    expect(unmetSettings(configOf(env), { ...ALL, [capability]: false })).toEqual([expect.stringContaining(name!)]);
    expect(unmetSettings(configOf(env), ALL)).toEqual([]);
    expect(unmetSettings(configOf({}), { ...ALL, [capability]: false })).toEqual([]);
  });
});

describe('measuredBound', () => {
  it.each([
    ['', 'measured'],
    ['kata', 'measured'],
    ['runsc', 'unguarded'],
    ['gVisor', 'unguarded'],
  ])('says of the runtime "%s": %s', (runtime, bound) => expect(measuredBound(configOf({ CONTAINER_RUNTIME: runtime }))).toBe(bound));
});
