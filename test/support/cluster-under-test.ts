import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What `scripts/engines/kubernetes/cluster.mjs` says of the cluster that it has made. */
export interface TestCluster {
  /** It has a file with the process id of each program, such as `apiserver.pid`. */
  readonly directory: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly kubectl: string;
  /** URL of the API server. */
  readonly server: string;
  readonly ctr: string;
  /** Each with the socket of its containerd. */
  readonly nodes: readonly { readonly address: string; readonly containerd: string }[];
  /** The node that shares this machine's network, for pods that name it; null: there is none. */
  readonly services: string | null;
  /**
   * A process in the network namespace that connects the nodes. There, the link of each node has
   * the node's address for a name.
   */
  readonly network: number;
}

export interface TestPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly labels?: Readonly<Record<string, string>> };
  readonly status: {
    readonly phase: string;
    readonly reason?: string;
    readonly hostIP?: string;
    readonly containerStatuses?: readonly { readonly containerID: string; readonly ready: boolean }[];
  };
}

/** The cluster whose pods are the sandboxes of the tests; null: Docker has them. */
export const TEST_CLUSTER = JSON.parse(process.env.SANDBOX_TEST_CLUSTER ?? 'null') as TestCluster | null;

/** Declares a test of what a pod cannot do, as docs/scaling.md says. */
export const itOnDocker = TEST_CLUSTER === null ? it : it.skip;

const execute = promisify(execFile);

/** The settings with which a service makes its sandboxes there. */
export function clusterSettings({ kubeconfig, namespace }: TestCluster): Record<string, string> {
  // Each process that requires isolation makes a pod of its own to look. One test does.
  const settings = { SANDBOX_RUNTIME: 'kubernetes', KUBERNETES_REQUIRE_ISOLATION: 'false' };
  return { ...settings, KUBERNETES_KUBECONFIG: kubeconfig, KUBERNETES_NAMESPACE: namespace };
}

/** Sends a signal to a program of the cluster. One that ends by it is started again. */
export function signalProgram({ directory }: TestCluster, name: string, signal: NodeJS.Signals): void {
  process.kill(Number(readFileSync(join(directory, `${name}.pid`), 'utf8')), signal);
}

/** Cuts a node off from all others and from this machine, or connects it again. */
export async function setLink({ network }: TestCluster, node: string, state: 'up' | 'down'): Promise<void> {
  await execute('nsenter', ['--net', '--target', String(network), 'ip', 'link', 'set', node, state]);
}

/** Runs kubectl as the cluster's administrator, without a namespace. @returns what it prints */
export async function administer({ kubectl: program, kubeconfig }: TestCluster, ...args: string[]): Promise<string> {
  return (await execute(program, ['--kubeconfig', kubeconfig, ...args], { maxBuffer: 2 ** 28 })).stdout;
}

/** Runs kubectl in the namespace of the sandboxes. @returns what it prints */
export function kubectl(cluster: TestCluster, ...args: string[]): Promise<string> {
  return administer(cluster, '--namespace', cluster.namespace, ...args);
}

export async function podsOf(cluster: TestCluster, selector: string, namespace = cluster.namespace): Promise<TestPod[]> {
  const listed = await administer(cluster, '--namespace', namespace, 'get', 'pods', '--selector', selector, '--output', 'json');
  return (JSON.parse(listed) as { items: TestPod[] }).items;
}

/** Kills what runs in a pod's container, as a node does that runs out of memory. */
export async function killPod(cluster: TestCluster, pod: TestPod): Promise<void> {
  await onNode(cluster, pod, 'kill', '--all', '--signal', 'SIGKILL', containerOf(pod));
}

/** Whether the pod's node still runs its container. */
export async function isOnNode(cluster: TestCluster, pod: TestPod): Promise<boolean> {
  return (await onNode(cluster, pod, 'list', '--quiet')).includes(containerOf(pod));
}

function containerOf({ status }: TestPod): string {
  return status.containerStatuses![0]!.containerID.replace('containerd://', '');
}

async function onNode({ ctr, nodes }: TestCluster, { status }: TestPod, ...args: string[]): Promise<string> {
  const { containerd } = nodes.find(({ address }) => address === status.hostIP)!;
  return (await execute(ctr, ['--address', containerd, '--namespace', 'k8s.io', 'tasks', ...args])).stdout;
}

export async function vanishPod(cluster: TestCluster, { metadata }: TestPod): Promise<void> {
  await kubectl(cluster, 'delete', 'pod', metadata.name, '--grace-period=0', '--force');
}
