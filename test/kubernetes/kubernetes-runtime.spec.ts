import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKubernetesRuntime, ImageProbe } from '@sandbox/orchestrator';
import { describeSandboxRuntime } from '../medium/contracts/sandbox-runtime';
import { clusterSettings, kubectl, killPod, podsOf, TEST_CLUSTER, type TestPod, vanishPod } from '../support/cluster-under-test';
import { run, sh, testConfig, testOwner } from '../support/adapters/docker';
import { eventually } from '../support/service/processes';

jest.setTimeout(600_000);

const cluster = TEST_CLUSTER;
if (cluster === null) throw new Error('These tests need a cluster: run `npm run test:kubernetes`.');

const { DEPLOYMENT } = testConfig();
const create = (variables: Record<string, string> = {}, requireIsolation = false) => {
  const isolation = { KUBERNETES_REQUIRE_ISOLATION: String(requireIsolation) };
  return createKubernetesRuntime(testConfig({ DEPLOYMENT, ...clusterSettings(cluster), ...isolation, ...variables }));
};

/** The profile of system calls that operators install on their nodes. */
const PROFILE = join(__dirname, '../../deploy/kubernetes/seccomp/sandbox.json');

/** Tries calls that the usual profile allows and ours does not. Prints each error; 0: none. */
const CALLS = `
import ctypes, os, platform
ptrace, io_setup = {'x86_64': (101, 206), 'aarch64': (117, 0)}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
def attempt(*call):
    ctypes.set_errno(0)
    libc.syscall(*call)
    return ctypes.get_errno()
def slow_init():
    try: os.setpriority(os.PRIO_PROCESS, 1, 19)
    except OSError as error: return error.errno
    return 0
print(attempt(io_setup, 1, ctypes.byref(ctypes.c_ulong(0))), attempt(ptrace, 0, 0, 0, 0), slow_init())`;

const ofSession = (key: string): string => `sandbox-api.session=${key.slice(0, 32)}`;
const podOf = async (key: string): Promise<TestPod> => (await podsOf(cluster, ofSession(key)))[0]!;
const claimsOf = async (key: string): Promise<string[]> =>
  (await kubectl(cluster, 'get', 'pvc', '--selector', ofSession(key), '--output', 'jsonpath={.items[*].metadata.name}'))
    .split(' ')
    .filter((name) => name !== '');

afterAll(async () => {
  const ours = ['--selector', `sandbox-api.deployment=${DEPLOYMENT}`];
  await kubectl(cluster, 'delete', 'pods', ...ours, '--grace-period=0', '--force');
  await kubectl(cluster, 'delete', 'leases.coordination.k8s.io,persistentvolumeclaims', ...ours);
});

describeSandboxRuntime({
  create: (variables) => create(variables),
  kill: async (key) => {
    await killPod(cluster, await podOf(key));
    // The kubelet looks once a second.
    await eventually('the pod has failed', async () => (await podOf(key)).status.phase === 'Failed', 60);
  },
  vanish: async (key) => vanishPod(cluster, await podOf(key)),
  restart: null,
  notesNetwork: true,
});

describe('the Kubernetes runtime', () => {
  const runtime = create();

  it('answers a ping', async () => {
    await runtime.ping();
  });

  it('gives no process an address of the cluster, and no power', async () => {
    const { id } = await runtime.ensureSandbox(testOwner());
    const status = await sh(
      runtime,
      id,
      'id -u; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; touch /x 2>&1; env; tr "\\0" "\\n" </proc/1/environ',
    );
    expect(status.stdout).toMatch(/^1000\n/);
    expect(status.stdout).toMatch(/CapEff:\s0+\n[^]*NoNewPrivs:\s1\n[^]*Seccomp:\s2\n[^]*Read-only file system/);
    expect(status.stdout).not.toMatch(/^KUBERNETES_.*=./m);
    // PID 1 writes to no log.
    expect((await sh(runtime, id, 'readlink /proc/1/fd/1 /proc/1/fd/2')).stdout).toBe('/dev/null\n/dev/null\n');
    expect((await run(runtime, id, ['sh', '-c', 'ls /var/run/secrets 2>/dev/null'])).stdout).toBe('');
  });

  it('finds that pods of this cluster have no network, and makes sandboxes then', async () => {
    const careful = create({}, true);
    const owner = testOwner();
    expect(await careful.ensureSandbox(owner)).toMatchObject({ created: true });
    await careful.removeSandbox(owner.key);
  });

  it('removes a sandbox within a moment, with what runs in it', async () => {
    const owner = testOwner();
    const { id } = await runtime.ensureSandbox(owner);
    const { stream } = await runtime.startProcess(id, ['sh', '-c', 'trap "" TERM HUP INT; echo begun; while :; do sleep 1; done']);
    await new Promise((resolve) => stream.once('data', resolve));
    await runtime.removeSandbox(owner.key);
    const left = await promisify(execFile)('pgrep', ['-f', 'trap "" TERM HUP INT; echo begun']).catch(() => ({ stdout: '' }));
    expect(left.stdout).toBe('');
  });

  it('says that there is no disk when the cluster binds no volume, and begins anew when the claim is removed', async () => {
    const without = create({ KUBERNETES_STORAGE_CLASS: 'absent' });
    const [waiting, robbed] = [testOwner(), testOwner()];
    const refused = [waiting, robbed].map((owner) =>
      expect(without.ensureSandbox(owner, { disk: '64m' })).rejects.toMatchObject({ code: 'DISK_UNAVAILABLE' }),
    );
    const claim = await eventually('the claim is there', async () => (await claimsOf(robbed.key))[0]);
    await kubectl(cluster, 'delete', 'pvc', claim, '--wait=false');
    await Promise.all(refused);
    // The disk may still come, or never.
    expect(await runtime.isVacant(waiting.key)).toBe(false);
    expect(await runtime.isVacant(robbed.key)).toBe(true);
    await without.removeSandbox(waiting.key);
    await eventually('no claim is left', async () => (await claimsOf(waiting.key)).length === 0);
  });

  it('leaves no disk when the lock is removed behind its back', async () => {
    const owner = testOwner();
    await runtime.ensureSandbox(owner, { disk: '64m' });
    expect(await claimsOf(owner.key)).toHaveLength(1);
    await kubectl(cluster, 'delete', 'leases.coordination.k8s.io', '--selector', ofSession(owner.key));
    await eventually('the disk is gone', async () => (await claimsOf(owner.key)).length === 0, 60);
    expect(await runtime.isVacant(owner.key)).toBe(true);
  });

  it('makes another sandbox when the kubelet has ended one at its deadline', async () => {
    const owner = testOwner();
    const first = await runtime.ensureSandbox(owner);
    const { name } = (await podOf(owner.key)).metadata;
    await kubectl(cluster, 'patch', 'pod', name, '--patch', JSON.stringify({ spec: { activeDeadlineSeconds: 1 } }));
    await eventually('its time is over', async () => (await podOf(owner.key)).status.reason === 'DeadlineExceeded', 60);
    await expect(sh(runtime, first.id, 'true')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    const second = await runtime.ensureSandbox(owner);
    expect([second.created, second.id === first.id]).toEqual([true, false]);
    await runtime.removeSandbox(owner.key);
  });

  it('keeps processes from more calls when the nodes have our profile', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pod-template-'));
    const template = join(directory, 'pod.yaml');
    writeFileSync(template, 'spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: sandbox-api/sandbox.json}}}');
    for (const at of cluster.nodes.keys()) cpSync(PROFILE, join(cluster.directory, `node-${at}/kubelet/seccomp/sandbox-api/sandbox.json`));
    try {
      const confined = create({ KUBERNETES_POD_TEMPLATE: template });
      const errorsOf = async (which: typeof runtime) => {
        const { id } = await which.ensureSandbox(testOwner());
        return (await run(which, id, ['python3', '-c', CALLS])).stdout;
      };
      const [NONE, EPERM] = [0, 1];
      expect([await errorsOf(runtime), await errorsOf(confined)]).toEqual([`${NONE} ${NONE} ${NONE}\n`, `${EPERM} ${EPERM} ${EPERM}\n`]);
      // The agent starts there too.
      const images = new ImageProbe(testConfig({ DEPLOYMENT }), confined);
      expect((await images.probe()).programs).toContain('python3');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says that the cluster is full when its quota is used up', async () => {
    await kubectl(cluster, 'create', 'quota', 'none', '--hard=pods=0');
    try {
      await expect(runtime.ensureSandbox(testOwner())).rejects.toMatchObject({ code: 'HOST_FULL' });
    } finally {
      await kubectl(cluster, 'delete', 'quota', 'none');
    }
  });
});
