/**
 * Runs a Kubernetes cluster on this machine for a scenario. It needs root on Debian, and builds
 * Kubernetes once (scripts/engines/kubernetes).
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startCluster } from '../scripts/engines/kubernetes/cluster.mjs';
import { ensureKubernetesPrograms } from '../scripts/engines/kubernetes/kubernetes-programs.mjs';
import { engineAt } from '../scripts/setup/docker-api.mjs';
import { atExit, refuseWhenEnding } from './cleanup.mjs';
import { IMAGE } from './engine.mjs';

/** A pod that runs has two containers: the one that holds its namespaces, and ours. */
const CONTAINERS_OF_A_POD = 2;
/** Nodes may take so long to remove what the API server has forgotten. */
const SETTLE_MS = 600_000;
const KUBECTL_BYTES = 2 ** 26;
const DEFAULT_SOCKET = 'unix:///var/run/docker.sock';

/**
 * Starts a cluster.
 * @param nodes how many nodes it has, from 1 to 3
 * @returns what `startCluster` tells, a `connection` to its API server as its administrator, and
 *   `stop`
 */
export async function startBenchCluster(nodes) {
  const programs = await ensureKubernetesPrograms();
  refuseWhenEnding();
  const starting = startCluster(programs.path, engineAt(process.env.DOCKER_HOST ?? DEFAULT_SOCKET), [IMAGE], nodes);
  const stop = atExit(async () => (await starting.catch(() => null))?.stop());
  const cluster = await starting;
  return { ...cluster, connection: connectionOf(cluster), stop };
}

function connectionOf({ kubeconfig }) {
  // The cluster writes it as JSON.
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8'));
  const bytes = (object, name) => Buffer.from(object[`${name}-data`], 'base64');
  const tls = {
    ca: bytes(clusters[0].cluster, 'certificate-authority'),
    cert: bytes(users[0].user, 'client-certificate'),
    key: bytes(users[0].user, 'client-key'),
  };
  return { tls, agent: new https.Agent({ ...tls, keepAlive: true, maxSockets: 512 }) };
}

/** The settings of a service whose sandboxes are pods of the cluster. */
export function clusterSettings({ kubeconfig, namespace }) {
  return {
    SANDBOX_RUNTIME: 'kubernetes',
    KUBERNETES_KUBECONFIG: kubeconfig,
    KUBERNETES_NAMESPACE: namespace,
    // No pod of this cluster has a network. To look would cost each service a pod.
    KUBERNETES_REQUIRE_ISOLATION: 'false',
  };
}

/** Runs `kubectl exec` of a command, as a person would, and waits for its end. */
export async function kubectlExec({ kubectl, kubeconfig, namespace }, pod, argv) {
  const args = ['--kubeconfig', kubeconfig, '--namespace', namespace, 'exec', pod, '--container', 'sandbox', '--', ...argv];
  await promisify(execFile)(kubectl, args, { maxBuffer: KUBECTL_BYTES });
}

/** Waits until the nodes have the containers of all pods that there are, and no others. */
export async function settled(cluster, podCount) {
  const giveUpAt = performance.now() + SETTLE_MS;
  while (cluster.containers().length !== CONTAINERS_OF_A_POD * podCount) {
    if (performance.now() > giveUpAt) throw new Error(`the nodes have ${cluster.containers().length} containers for ${podCount} pods`);
    await sleep(100);
  }
}
