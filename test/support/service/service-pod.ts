import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadAll } from 'js-yaml';
import { administer, type TestCluster } from '../cluster-under-test';
import { Child, eventually, type ServiceProcess } from './processes';

const MANIFESTS = resolve(__dirname, '../../../deploy/kubernetes');
const NAMESPACE = 'sandbox-api';
/** What the service needs besides its own pods. */
const SHARED = ['Namespace', 'ServiceAccount', 'Role', 'RoleBinding'];
/** They are this machine's, or name what a pod has from its service account. */
const NOT_OF_PODS = ['PATH', 'DOCKER_HOST', 'CHANNEL_DIRECTORY', 'KUBERNETES_KUBECONFIG'];
const START_SECONDS = 90;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

type PodSpec = Record<string, unknown> & { containers: Record<string, unknown>[] };

interface PodStatus {
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly { readonly state: { readonly terminated?: { readonly exitCode: number } } }[];
  };
}

let manifests: Promise<readonly Manifest[]> | null = null;

/**
 * Starts a program of the service as a pod. It is made from the manifests of deploy/kubernetes, and
 * has their account with its Role. Its node shares this machine's network. So the tests reach it,
 * and it reaches what they start.
 */
export async function startPod(cluster: TestCluster, app: 'api' | 'cleanup', env: Record<string, string>): Promise<ServiceProcess> {
  manifests ??= prepare(cluster);
  const { spec } = (await manifests).find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === app)!.spec.template;
  const name = `${app}-${randomBytes(6).toString('hex')}`;
  await apply(cluster, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE }, spec: fit(cluster, spec, name, env) });
  const state = async (): Promise<PodStatus['status']> =>
    (JSON.parse(await inCluster(cluster, 'get', 'pod', name, '--output', 'json')) as PodStatus).status;
  await eventually(
    `${name} has begun`,
    async () => {
      const status = await state();
      return status.phase !== 'Pending';
    },
    START_SECONDS,
  );
  const pid = pidOf(name);
  // For a moment, a kubelet does not find the log of a container that has just begun.
  await eventually(`${name} has a log`, async () => (await inCluster(cluster, 'logs', name)) !== null);
  const logs = new Child(
    spawn(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, '--namespace', NAMESPACE, 'logs', '--follow', name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  // It ends with the pod's container.
  const exited = logs.exited.then(async () => {
    const { containerStatuses } = await eventually(`${name} has ended`, async () => {
      const status = await state();
      return status.phase !== 'Running' && status;
    });
    await inCluster(cluster, 'delete', 'pod', name, '--grace-period=0', '--force');
    return containerStatuses?.[0]?.state.terminated?.exitCode ?? null;
  });
  const signal = (number: NodeJS.Signals): void => void (pid !== null && process.kill(pid, number));
  return {
    get output() {
      return logs.output;
    },
    get isRunning() {
      return logs.isRunning;
    },
    pid: pid ?? 0,
    exited,
    signal,
    stop: (number = 'SIGTERM') => {
      if (logs.isRunning) signal(number);
      return exited;
    },
  };
}

async function prepare(cluster: TestCluster): Promise<readonly Manifest[]> {
  const all = loadAll(await administer(cluster, 'kustomize', MANIFESTS)) as Manifest[];
  for (const kind of SHARED) await apply(cluster, ...all.filter((each) => each.kind === kind));
  return all;
}

/** Puts a pod on the node that shares this machine's network and files for tests. */
function fit({ server, services }: TestCluster, spec: PodSpec, name: string, env: Record<string, string>): PodSpec {
  const { hostname, port } = new URL(server);
  const own = { ...env, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, TEST_POD: name };
  const variables = Object.entries(own).filter(([variable]) => !NOT_OF_PODS.includes(variable));
  const { envFrom: _, ports: _ports, livenessProbe: _live, readinessProbe: _ready, ...container } = spec.containers[0]!;
  return {
    ...spec,
    nodeName: services,
    hostNetwork: true,
    restartPolicy: 'Never',
    containers: [{ ...container, env: variables.map(([variable, value]) => ({ name: variable, value })) }],
    volumes: [{ name: 'tmp', hostPath: { path: tmpdir() } }],
  };
}

/**
 * The pods' processes are this machine's too.
 * @returns null if it has ended already
 */
function pidOf(pod: string): number | null {
  const mark = `TEST_POD=${pod}\0`;
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const found = pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
  return found === undefined ? null : Number(found);
}

async function apply(cluster: TestCluster, ...objects: object[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-pod-'));
  const file = join(directory, 'objects.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  try {
    await administer(cluster, 'apply', '-f', file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function inCluster(cluster: TestCluster, ...args: string[]): Promise<string> {
  return administer(cluster, '--namespace', NAMESPACE, ...args);
}
