import { loadConfig } from '@sandbox/config';
import { ignoredSettings, measuredBound, unmetSettings } from './runtime-capabilities';

const configOf = (env: Record<string, string>) => loadConfig({ SESSION_STORE: 'memory', ...env }, { needsAuth: false });
const ALL = { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true };

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

describe('ignoredSettings', () => {
  it.each([
    [{}, []],
    [{ pids: false }, ['CONTAINER_PIDS_LIMIT']],
    [{ ulimits: false }, ['CONTAINER_ULIMIT_NOFILE_SOFT', 'CONTAINER_ULIMIT_NOFILE_HARD']],
  ])('names the settings of limits that the runtime does not have: %j', (lacking, names) =>
    expect(ignoredSettings({ ...ALL, ...lacking })).toEqual(names),
  );
});

describe('measuredBound', () => {
  it.each([
    ['', 'measured'],
    ['kata', 'measured'],
    ['runsc', 'unguarded'],
    ['gVisor', 'unguarded'],
  ])('says of the runtime "%s": %s', (runtime, bound) => expect(measuredBound(configOf({ CONTAINER_RUNTIME: runtime }))).toBe(bound));
});
