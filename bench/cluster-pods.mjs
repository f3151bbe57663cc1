/** Makes, finds and removes pods of a cluster: for the floors, and to clean up. */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { settled } from './cluster.mjs';
import { callCluster, callText, podsPath, watchPods } from './cluster-calls.mjs';
import { IMAGE } from './engine.mjs';

const require = createRequire(import.meta.url);
const built = (path) => require(`../dist/libs/${path}`);
const { sessionPod } = built('orchestrator/src/runtime/kubernetes/pod-spec');

const FLOOR = 'floor';
const FLOOR_LABEL = `sandbox-api.deployment=${FLOOR}`;
/** A busy machine takes a second or two for each pod. */
const READY_MS = 300_000;

/**
 * Makes a request for a pod like that of a session with the default options.
 * @param env settings of the service that it is compared with
 */
export function floorPod(cluster, env = {}) {
  const settings = { ...env, DEPLOYMENT: FLOOR, CONTAINER_IMAGE: IMAGE, SESSION_STORE: 'memory' };
  const config = built('config/src').loadConfig(settings, { needsAuth: false });
  const key = randomBytes(16).toString('hex');
  return sessionPod(config, { key, userKey: 'bench' }, { name: `${FLOOR}-${key}`, options: {}, settings: {} });
}

/** Removes the init container of a pod, which makes its workspace. The volume itself is mounted. */
export function withoutInit(pod) {
  const { initContainers: _, ...spec } = pod.spec;
  const [container] = spec.containers;
  const volumeMounts = container.volumeMounts.map(({ subPath: _subPath, ...mount }) => mount);
  return { ...pod, spec: { ...spec, containers: [{ ...container, volumeMounts }] } };
}

/**
 * Creates pods, all at once, and waits until each is Ready, by one watch.
 * @returns the milliseconds that it takes. The watch is open before.
 */
export async function podsToReady(cluster, pods) {
  const waiting = new Set(pods.map(({ metadata }) => metadata.name));
  let done;
  const ready = new Promise((resolve) => (done = resolve));
  const endWatch = await watchPods(cluster, FLOOR_LABEL, ({ object }) => {
    if (isReady(object) && waiting.delete(object.metadata.name) && waiting.size === 0) done();
  });
  try {
    const began = performance.now();
    await Promise.all(pods.map((pod) => callCluster(cluster, 'POST', podsPath(cluster), pod)));
    await Promise.race([ready, late()]);
    return performance.now() - began;
  } finally {
    endWatch();
  }
}

async function late() {
  await sleep(READY_MS, undefined, { ref: false });
  throw new Error(`pods are not Ready after ${READY_MS / 1000} s`);
}

const isReady = ({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

/** Removes the pods of the floor, and waits until the nodes have done so too. */
export async function removeFloorPods(cluster) {
  await removeAll(cluster, podsPath(cluster, `?labelSelector=${FLOOR_LABEL}`));
  await settled(cluster, (await listPods(cluster)).length);
}

/** Removes what services have left: locks and pods. Waits until the nodes have done so too. */
export async function clearNamespace(cluster) {
  await removeAll(cluster, `/apis/coordination.k8s.io/v1/namespaces/${cluster.namespace}/leases`);
  await removeAll(cluster, podsPath(cluster));
  await settled(cluster, 0);
}

const removeAll = (cluster, path) => callText(cluster, 'DELETE', path, { gracePeriodSeconds: 0 });

const listPods = async (cluster) => (await callCluster(cluster, 'GET', podsPath(cluster))).items;

/** Lists pods as the service does, and does not look at the answer. @returns its length */
export async function listOf(cluster, query) {
  return (await callText(cluster, 'GET', podsPath(cluster, `?${new URLSearchParams({ limit: '500', ...query })}`))).length;
}

/** @returns the name of the pod with this id of a container, as calls of the service answer it */
export async function podNameOf(cluster, containerId) {
  const pod = (await listPods(cluster)).find(({ metadata }) => metadata.uid.replaceAll('-', '').startsWith(containerId));
  return pod.metadata.name;
}

/** Changes an annotation of a pod, which tells each watch. */
export const touchPod = (cluster, pod, text) =>
  callText(cluster, 'PATCH', podsPath(cluster, `/${pod}`), { metadata: { annotations: { bench: text } } });
