import { loadConfig } from '@sandbox/config';
import type { VolumeInspectInfo } from 'dockerode';
import { volumeName } from './container-spec';
import { boundOf, limitOf, workspaceMount } from './workspace-volume';

const config = loadConfig({ DEPLOYMENT: 'prod' }, { needsAuth: false });
const owner = { key: 'ab'.repeat(32), userKey: 'cd'.repeat(32) };
const LIMIT = 2 * 1024 ** 3;

const volumeOf = (labels: object | null, options: object | null) => ({ Labels: labels, Options: options }) as VolumeInspectInfo;

describe('workspaceMount', () => {
  it('has no name when the volume is to go with its container', () => {
    const mount = workspaceMount(config, owner, { disk: '2g' }, LIMIT, 'measured');
    expect(mount).toMatchObject({ Type: 'volume', Source: '', Target: '/workspace', VolumeOptions: { NoCopy: true } });
    expect(mount.VolumeOptions!.Labels).toEqual({
      'sandbox-api.deployment': 'prod',
      'sandbox-api.kind': 'session',
      'sandbox-api.session': owner.key,
      'sandbox-api.user': owner.userKey,
      'sandbox-api.volume': 'disk',
    });
    expect(mount.VolumeOptions!.DriverConfig).toEqual({ Name: 'local', Options: {} });
  });

  it('has the session’s name, and its limit as a label, when the volume is persistent', () => {
    const mount = workspaceMount(config, owner, { persistent: true }, LIMIT, 'quota');
    expect(mount.Source).toBe(volumeName(config, owner.key));
    expect(mount.VolumeOptions!.Labels).toMatchObject({ 'sandbox-api.volume': 'persistent', 'sandbox-api.disk': String(LIMIT) });
    expect(mount.VolumeOptions!.DriverConfig.Options).toEqual({ size: String(LIMIT) });
  });
});

it.each<[string, VolumeInspectInfo, number | null, string]>([
  ['of an older version', volumeOf(null, null), null, 'measured'],
  ['with damaged labels', volumeOf({ 'sandbox-api.disk': 'x' }, {}), null, 'measured'],
  ['with a limit', volumeOf({ 'sandbox-api.disk': String(LIMIT) }, null), LIMIT, 'measured'],
  ['with a quota', volumeOf({ 'sandbox-api.disk': String(LIMIT) }, { size: String(LIMIT) }), LIMIT, 'quota'],
])('limitOf and boundOf read a volume %s', (_, volume, limit, bound) => {
  expect([limitOf(volume), boundOf(volume)]).toEqual([limit, bound]);
});
