import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKubernetesRuntime } from '@sandbox/orchestrator';
import { clusterSettings, kubectl, TEST_CLUSTER } from '../support/cluster-under-test';
import { run, testConfig, testOwner } from '../support/adapters/docker';

jest.setTimeout(300_000);

const cluster = TEST_CLUSTER;
if (cluster === null) throw new Error('These tests need a cluster: run `npm run test:kubernetes`.');

/** Where clouds tell a machine its credentials. */
const METADATA = '169.254.169.254';
/** Each pod gets an interface that leads to its node. */
const NETWORK = {
  cniVersion: '0.4.0',
  name: 'network',
  plugins: [{ type: 'ptp', ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] } }],
};

const { DEPLOYMENT } = testConfig();
const create = (requireIsolation = true) =>
  createKubernetesRuntime(testConfig({ DEPLOYMENT, ...clusterSettings(cluster), KUBERNETES_REQUIRE_ISOLATION: String(requireIsolation) }));
const configurations = cluster.nodes.map((_, n) => join(cluster.directory, `node-${n}`, 'cni/00-network.conflist'));

/** The words that run a program in the network of a node. */
const onNode = (address: string): string[] => ['--net', '--target', readFileSync(join(cluster.directory, `holder-${address}.pid`), 'utf8')];

/** Real: the pods of this cluster get a network, and their nodes the address of a cloud. */
describe('The Kubernetes runtime, on a cluster whose pods have a network,', () => {
  const owner = testOwner();
  const servers: ChildProcess[] = [];
  beforeAll(() => {
    for (const file of configurations) writeFileSync(file, JSON.stringify(NETWORK));
  });
  afterAll(async () => {
    for (const file of configurations) rmSync(file, { force: true });
    for (const server of servers) server.kill();
    const ours = ['--selector', `sandbox-api.deployment=${DEPLOYMENT}`];
    await kubectl(cluster, 'delete', 'pods', ...ours, '--grace-period=0', '--force');
    await kubectl(cluster, 'delete', 'leases.coordination.k8s.io,persistentvolumeclaims', ...ours);
  });

  it('makes sandboxes when nothing answers there', async () => {
    const runtime = create();
    const { id } = await runtime.ensureSandbox(owner);
    expect((await run(runtime, id, ['cat', '/proc/net/route'])).stdout).toContain('eth0');
    await runtime.ping();
    await runtime.removeSandbox(owner.key);
  });

  it('makes none, and says why, when the address of a cloud answers', async () => {
    for (const { address } of cluster.nodes) {
      await promisify(execFile)('nsenter', [...onNode(address), 'ip', 'address', 'add', `${METADATA}/32`, 'dev', 'lo']);
      const server = spawn('nsenter', [...onNode(address), 'python3', '-u', '-m', 'http.server', '--bind', METADATA, '80']);
      servers.push(server);
      await once(server.stdout, 'data');
    }
    const runtime = create();
    const refusal = { code: 'RUNTIME_UNAVAILABLE', message: expect.stringContaining('Pods of this cluster reach a network') };
    await expect(runtime.ensureSandbox(owner)).rejects.toMatchObject(refusal);
    await expect(runtime.ping()).rejects.toMatchObject(refusal);
    expect(await runtime.listSandboxes()).toEqual([]);
  });

  it('makes sandboxes all the same when the operator does not require isolation', async () => {
    expect(await create(false).ensureSandbox(owner)).toMatchObject({ created: true });
  });
});
