import { createCommandPolicy } from '@sandbox/command-policy';
import { loadConfig } from '@sandbox/config';
import type { SessionOptions } from '@sandbox/sessions';
import { entryLimit } from './disk-limit';
import { checkSessionOptions, differences, isDefaultSandbox, sandboxShape, toldOf } from './session-options';

const configOf = (env: NodeJS.ProcessEnv = {}) => loadConfig({ SESSION_STORE: 'memory', ...env }, { needsAuth: false });
const config = configOf({ ALLOW_PERSISTENT_SESSIONS: 'true', MAX_SESSION_DISK: '2g' });
const policy = createCommandPolicy(['*']);
const ALL = { pids: true, persistent: true, disk: true };

function errorsOf(options: SessionOptions, own = config, capabilities = ALL, networkRefusal: string | null = null): unknown {
  try {
    checkSessionOptions({ config: own, policy, capabilities, networkRefusal }, options);
    return [];
  } catch (error) {
    return (error as { errors: { message: string }[] }).errors.map(({ message }) => message);
  }
}

describe('checkSessionOptions', () => {
  it.each([{ pids: 32 }, { persistent: true }])('refuses %j when the runtime has no such thing', (options) => {
    const [field] = Object.keys(options);
    const check = (has: boolean) => () =>
      checkSessionOptions({ config, policy, capabilities: { pids: has, persistent: has, disk: has }, networkRefusal: null }, options);
    expect(check(true)).not.toThrow();
    expect(check(false)).toThrow(
      expect.objectContaining({
        errors: [{ field, message: `${field} cannot be had with the runtime of this deployment` }],
      }),
    );
  });

  it('takes a disk when it is within what the operator offers', () => {
    for (const disk of ['16m', '2g', '2048M', '1073741824']) expect(errorsOf({ disk })).toEqual([]);
    for (const disk of ['15m', '3g', '0', '2049m']) expect(errorsOf({ disk })).toEqual(['disk must be a size from 16m to 2g']);
  });

  it('offers no disk when the operator or the runtime has none', () => {
    const refusal = ['disk is not offered here (MAX_SESSION_DISK)'];
    expect(errorsOf({ disk: '1g' }, configOf())).toEqual(refusal);
    expect(errorsOf({ disk: '1g' }, config, { ...ALL, disk: false })).toEqual(refusal);
  });

  it('refuses rules of a network, but not an empty list, when the runtime has no network', () => {
    const own = configOf({ EGRESS_ALLOW: 'pypi.org' });
    const rules = (...allow: string[]) => errorsOf({ network: { allow } }, own, ALL, 'it is not allowed');
    expect(errorsOf({ network: { allow: ['pypi.org'] } }, own)).toEqual([]);
    expect(rules('pypi.org')).toEqual(['network.allow must be empty: sandboxes here may reach nothing, since it is not allowed']);
    expect(rules()).toEqual([]);
  });

  it('asks for less memory when the workspace takes none', () => {
    const own = configOf({ MAX_SESSION_DISK: '2g' });
    expect(errorsOf({ memory: '112m' }, own)).toEqual([expect.stringContaining('from 240m')]);
    expect(errorsOf({ memory: '112m', disk: '1g' }, own)).toEqual([]);
  });
});

describe('sandboxShape', () => {
  it.each<[SessionOptions, NodeJS.ProcessEnv, string | null]>([
    [{}, {}, null],
    [{ disk: '1024m' }, {}, '1g'],
    [{ persistent: true }, {}, '10g'],
    [{ persistent: true }, { MAX_SESSION_DISK: '3g' }, '3g'],
    [{ persistent: true, disk: '1g' }, { MAX_SESSION_DISK: '3g' }, '1g'],
    [{}, { WORKSPACE_PERSIST_VOLUMES: 'true' }, '10g'],
    [{ persistent: false }, { WORKSPACE_PERSIST_VOLUMES: 'true' }, null],
  ])('shows the limit of the disk when the session asks for %j, with %j', (options, env, disk) => {
    expect(sandboxShape(configOf(env), options).disk).toBe(disk);
    expect(isDefaultSandbox(configOf(env), options)).toBe(disk === null && Object.keys(env).length === 0);
  });

  it('gives a disk at least as many entries as a workspace in memory has', () => {
    expect(entryLimit(1)).toBe(100_000);
    expect(entryLimit(2 * 1024 ** 3)).toBe(262_144);
  });
});

describe('toldOf', () => {
  it('tells no bound of processes when the runtime keeps none', () => {
    const shape = sandboxShape(config, { pids: 40 });
    expect(toldOf(shape, { pids: true })).toEqual(shape);
    expect(toldOf(shape, { pids: false })).toEqual({ ...shape, pids: null });
  });
});

describe('differences', () => {
  it('tells a disk from another one, and from memory', () => {
    const differing = [{ field: 'disk', message: 'disk differs from that of the session that is there' }];
    expect(differences(config, { disk: '1g' }, { disk: '1024m' })).toEqual([]);
    expect(differences(config, {}, { disk: '1g' })).toEqual([]);
    expect(differences(config, { disk: '1g' }, { disk: '2g' })).toEqual(differing);
    expect(differences(config, { disk: '1g' }, {})).toEqual(differing);
  });
});
