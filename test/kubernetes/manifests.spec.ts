import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { dump, loadAll } from 'js-yaml';
import { administer, podsOf, TEST_CLUSTER, type TestPod } from '../support/cluster-under-test';
import { TEST_IMAGE } from '../support/engine-under-test';
import { eventually, freePort } from '../support/service/processes';
import { ALICE, Client } from '../support/service/service';

jest.setTimeout(300_000);

const cluster = TEST_CLUSTER;
if (cluster === null) throw new Error('These tests need a cluster: run `npm run test:kubernetes`.');

const MANIFESTS = resolve(__dirname, '../../deploy/kubernetes');
const PASSWORD = 'a password-of-redis';
const ACCOUNT = 'system:serviceaccount:sandbox-api:sandbox-api';

/** What these tests read and change of a manifest. */
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  data: Record<string, string>;
  spec: { replicas: number; template: { spec: PodSpec } };
}

interface PodSpec {
  hostNetwork: boolean;
  nodeName: string;
  containers: { env?: object[]; command?: string[]; ports?: { containerPort: number }[]; readinessProbe?: object }[];
}

const admin = (...args: string[]): Promise<string> => administer(cluster, ...args);
const pods = (app: string): Promise<TestPod[]> => podsOf(cluster, `app=${app}`, 'sandbox-api');
const isReady = ({ status }: TestPod): boolean => status.containerStatuses?.every(({ ready }) => ready) ?? false;
const applied = (name: string) =>
  eventually(
    `${name} is ready`,
    async () => {
      const found = await pods(name);
      return found.length > 0 && found.every(isReady);
    },
    120,
  );

/**
 * Fits a manifest to a cluster whose pods have no network: the nodes' own is used, and ports of the
 * test's. Kubernetes 1.20 knows the budget under an older name.
 */
function fit(manifest: Manifest, port: number, redisPort: number): void {
  const { server, nodes } = cluster!;
  const { address } = nodes[0]!;
  if (manifest.kind === 'PodDisruptionBudget') manifest.apiVersion = 'policy/v1beta1';
  if (manifest.kind === 'ConfigMap') {
    const own = { PORT: String(port), REDIS_HOST: address, REDIS_PORT: String(redisPort), CONTAINER_IMAGE: TEST_IMAGE };
    Object.assign(manifest.data, own, { SESSION_TTL_SECONDS: '5', CLEANUP_INTERVAL_SECONDS: '1', POOL_SIZE: '1' });
  }
  if (manifest.kind !== 'Deployment') return;
  manifest.spec.replicas = Math.min(manifest.spec.replicas, nodes.length);
  const pod = manifest.spec.template.spec;
  const [container] = pod.containers as [PodSpec['containers'][number]];
  pod.hostNetwork = true;
  container.env ??= [];
  container.env.push(
    { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: 'KUBERNETES_SERVICE_HOST', value: new URL(server).hostname },
    { name: 'KUBERNETES_SERVICE_PORT', value: new URL(server).port },
  );
  if (manifest.metadata.name === 'api') container.ports![0]!.containerPort = port;
  if (manifest.metadata.name !== 'redis') return;
  pod.nodeName = address;
  container.ports![0]!.containerPort = redisPort;
  container.command![2] += ` --port ${redisPort}`;
  container.readinessProbe = { tcpSocket: { port: redisPort } };
}

describe('deploy/kubernetes, on a cluster', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-manifests-'));
  let replicas: Client[];
  beforeAll(async () => {
    const [port, redisPort] = [await freePort(), await freePort()];
    const file = join(directory, 'manifests.yaml');
    const manifests = loadAll(await admin('kustomize', MANIFESTS)) as Manifest[];
    for (const manifest of manifests) fit(manifest, port, redisPort);
    writeFileSync(file, manifests.map((each) => dump(each)).join('---\n'));
    await admin('apply', '-f', file);
    const secrets = [`--from-literal=API_KEYS=${ALICE}`, `--from-literal=REDIS_PASSWORD=${PASSWORD}`];
    await admin('-n', 'sandbox-api', 'create', 'secret', 'generic', 'sandbox-api', ...secrets);
    for (const name of ['redis', 'api', 'cleanup']) await applied(name);
    replicas = (await pods('api')).map(({ status }) => new Client(`http://${status.hostIP}:${port}`, { 'X-API-Key': ALICE }));
  });
  afterAll(async () => {
    await admin('delete', 'namespace', 'sandbox-api', '--wait=false');
    await admin('-n', 'sandboxes', 'delete', 'pods,leases.coordination.k8s.io', '--all', '--grace-period=0', '--force');
    rmSync(directory, { recursive: true, force: true });
  });

  it('is ready, with a replica on each node', async () => {
    expect(new Set(replicas.map(({ url }) => url)).size).toBe(cluster.nodes.length);
    for (const replica of replicas)
      expect((await replica.request('GET', '/ready')).body).toMatchObject({
        status: 'ready',
        checks: { kubernetes: 'ok' },
        ignored_settings: ['CONTAINER_PIDS_LIMIT', 'CONTAINER_ULIMIT_NOFILE_SOFT', 'CONTAINER_ULIMIT_NOFILE_HARD'],
        channel: 'exec',
      });
  });

  it('serves a session by every replica', async () => {
    const [first, last] = [replicas[0]!, replicas.at(-1)!];
    const { container_id } = await first.run('shared', 'echo kept > file');
    expect(await last.run('shared', 'cat file')).toMatchObject({ stdout: 'kept\n', container_id, session_created: false });
    expect((await first.deleteSession('shared')).status).toBe(200);
    expect((await last.request('GET', '/sessions/shared')).status).toBe(404);
  });

  it('removes a session by the cleanup worker when it has expired', async () => {
    const { container_id } = await replicas[0]!.run('expires', 'true');
    const isThere = async () =>
      (await podsOf(cluster, 'sandbox-api.kind=session')).some(({ metadata }) => metadata.uid.replaceAll('-', '').startsWith(container_id));
    expect(await isThere()).toBe(true);
    await eventually('it is gone', async () => !(await isThere()), 60);
    expect(await admin('-n', 'sandbox-api', 'logs', '-l', 'app=cleanup', '--tail=-1')).toContain(container_id);
  });

  it.each([
    ['get', 'secrets', 'sandboxes'],
    ['create', 'pods', 'sandbox-api'],
    ['get', 'secrets', 'sandbox-api'],
    ['get', 'nodes', ''],
    ['delete', 'namespaces', ''],
    ['create', 'rolebindings.rbac.authorization.k8s.io', 'sandboxes'],
    ['update', 'networkpolicies.networking.k8s.io', 'sandboxes'],
  ])('lets the service not %s %s in %j', async (verb, resource, namespace) => {
    const where = namespace === '' ? [] : ['-n', namespace];
    const asked = admin('auth', 'can-i', verb, resource, '--as', ACCOUNT, ...where);
    // kubectl exits with 1.
    await expect(asked).rejects.toMatchObject({ stdout: 'no\n' });
  });

  it('names what is missing when the Role allows too little', async () => {
    const without = [{ op: 'replace', path: '/rules/1/verbs', value: ['get'] }];
    await admin('-n', 'sandboxes', 'patch', 'role', 'sandbox-api', '--type=json', '--patch', JSON.stringify(without));
    try {
      const [{ metadata }] = (await pods('api')) as [TestPod];
      await admin('-n', 'sandbox-api', 'delete', 'pod', metadata.name, '--grace-period=1');
      await eventually(
        'another pod has begun',
        async () => {
          const others = (await pods('api')).filter(({ metadata: { name } }) => name !== metadata.name);
          const logs = await Promise.all(others.map((pod) => admin('-n', 'sandbox-api', 'logs', pod.metadata.name)));
          return logs.some((log) => log.includes('create pods/exec'));
        },
        120,
      );
    } finally {
      await admin(
        '-n',
        'sandboxes',
        'patch',
        'role',
        'sandbox-api',
        '--type=json',
        '--patch',
        JSON.stringify([{ ...without[0], value: ['create', 'get'] }]),
      );
    }
    await applied('api');
  });
});
