import { createHash } from 'node:crypto';
import { type Config, SHM_BYTES } from '@sandbox/config';
import { formatOptions, formatSettings, type SandboxOptions, type SessionSettings } from '@sandbox/sessions';
import { diskLimit, entryLimit } from '../../options/disk-limit';
import { memoryLimit } from '../../options/memory-limit';
import { sandboxEnvironment, WORKSPACE } from '../../surroundings/environment';
import { surroundingsOf } from '../../surroundings/surroundings';
import { WAITING_INIT, watchingInit } from '../init-process';
import type { SandboxOwner } from '../sandbox-runtime';
import { SANDBOX_UID } from '../sandbox-user';
import { ANNOTATION, deploymentLabels, KIND, LABEL, ownerMarks } from './names';
import type { ObjectMeta, OwnerReference } from './objects';
import { SYSCTL } from './resolver-port';

/** The container of a pod in which commands run. */
export const CONTAINER = 'sandbox';

/**
 * The variables that kubelets give to every container, whatever its pod asks for. They name an
 * address of the cluster, so a sandbox has them empty, and its processes do not have them.
 */
export const CLUSTER_VARIABLES = [
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'KUBERNETES_SERVICE_PORT_HTTPS',
  'KUBERNETES_PORT',
  'KUBERNETES_PORT_443_TCP',
  'KUBERNETES_PORT_443_TCP_PROTO',
  'KUBERNETES_PORT_443_TCP_PORT',
  'KUBERNETES_PORT_443_TCP_ADDR',
] as const;

/** How long a pod stays bound to a node that does not answer, in seconds. */
const TOLERATION_SECONDS = 30;
const TOLERATIONS = ['not-ready', 'unreachable'].map((taint) => ({
  key: `node.kubernetes.io/${taint}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: TOLERATION_SECONDS,
}));
/**
 * The share of the CPU that a scheduler sets aside for a sandbox, in thousandths of one: many
 * sandboxes are idle.
 */
const REQUESTED_MILLI_CPU = 10;
/** Where the init container sees the volume of the workspace. */
const VOLUME_ROOT = '/run/volume';
/** The directory in that volume which is the workspace. */
const SUBPATH = 'workspace';

/**
 * Makes the directory of the workspace. A volume belongs to root, and programs such as git refuse
 * to work in a directory that is another user's.
 */
const MAKE_WORKSPACE = `mkdir -p -m 0700 ${VOLUME_ROOT}/${SUBPATH}`;

/**
 * Detaches PID 1 from the container's log before it begins. Otherwise any process of the sandbox
 * could open its stdout in /proc, and fill the node's disk.
 */
const WITHOUT_LOG = 'exec </dev/null >/dev/null 2>&1; exec "$@"';

export type PodRequest = ReturnType<typeof podOf>;

/** What a pod is made of besides the settings. */
interface PodParts {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The object that the pod goes with. */
  readonly owner?: OwnerReference;
  /** The claim of the volume that has the workspace; null: it is in memory. */
  readonly claim?: string | null;
}

/**
 * Tells pods made from one configuration and with some options from others: 16 hex digits over all
 * that is not the owner's.
 */
export function specHash(config: Config, options: SandboxOptions = {}): string {
  return createHash('sha256')
    .update(JSON.stringify(specOf(config, options, diskLimit(config, options) === null ? null : '')))
    .digest('hex')
    .slice(0, 16);
}

/** Returns settings by which a pod asks for nothing that only a network needs. */
export function withoutNetwork(config: Config): Config {
  return { ...config, EGRESS_ALLOW: [] };
}

/** Makes the request for the pod of a session. */
export function sessionPod(
  config: Config,
  owner: SandboxOwner,
  { options, settings, ...parts }: PodParts & { readonly options: SandboxOptions; readonly settings: SessionSettings },
) {
  const { labels, annotations } = ownerMarks(owner);
  const [asked, set] = [formatOptions(options), formatSettings(settings)];
  const own = {
    ...annotations,
    ...(asked === '' ? {} : { [ANNOTATION.options]: asked }),
    ...(set === '{}' ? {} : { [ANNOTATION.settings]: set }),
  };
  return podOf(config, options, { ...parts, labels: { ...parts.labels, ...labels }, annotations: { ...parts.annotations, ...own } });
}

/** Makes the request for a pod that waits for its session. */
export function pooledPod(config: Config, name: string, slot: number) {
  const labels = { [LABEL.pool]: specHash(config), [LABEL.slot]: String(slot) };
  return podOf(config, {}, { name, labels, annotations: { [ANNOTATION.pooled]: 'true' } });
}

/** Makes the request for a pod in which the runtime looks at the cluster itself. */
export function probePod(config: Config, name: string) {
  // It needs no network, and must start in a cluster that refuses what that takes.
  const pod = podOf(withoutNetwork(config), { persistent: false }, { name });
  const [container] = pod.spec.containers;
  const labels = { ...pod.metadata.labels, [LABEL.kind]: KIND.probe };
  // It looks for the cluster's address in the variables that a sandbox has empty.
  return { ...pod, metadata: { ...pod.metadata, labels }, spec: { ...pod.spec, containers: [{ ...container!, env: [] }] } };
}

function podOf(config: Config, options: SandboxOptions, { name, labels, annotations, owner, claim = null }: PodParts) {
  const template = config.KUBERNETES_POD_TEMPLATE;
  const metadata: ObjectMeta = {
    name,
    labels: { ...template.labels, ...deploymentLabels(config, KIND.session), ...labels },
    annotations: {
      ...template.annotations,
      [ANNOTATION.spec]: specHash(config, options),
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      ...annotations,
    },
    ...(owner && { ownerReferences: [owner] }),
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: specOf(config, options, claim) };
}

function specOf(config: Config, options: SandboxOptions, claim: string | null) {
  const disk = diskLimit(config, options);
  const surroundings = surroundingsOf(config);
  const init = disk === null ? WAITING_INIT : watchingInit(disk, entryLimit(disk));
  const image = options.image ?? config.CONTAINER_IMAGE;
  // With a tag such as `latest` a kubelet would ask the registry at each start.
  const common = { image, imagePullPolicy: 'IfNotPresent', resources: resources(config, options), securityContext: CONFINED };
  const template = config.KUBERNETES_POD_TEMPLATE;
  const { tolerations = [], ...placing } = template.spec;
  return {
    ...placing,
    hostname: 'sandbox',
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // Nobody answers there, but for the agent's resolver.
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['127.0.0.1'] },
    ...(config.CONTAINER_RUNTIME === '' ? {} : { runtimeClassName: config.CONTAINER_RUNTIME }),
    securityContext: {
      runAsUser: SANDBOX_UID,
      runAsGroup: SANDBOX_UID,
      runAsNonRoot: true,
      seccompProfile: template.seccompProfile ?? { type: 'RuntimeDefault' },
      // A volume of a storage class belongs to root alone otherwise.
      ...(claim === null ? {} : { fsGroup: SANDBOX_UID, fsGroupChangePolicy: 'OnRootMismatch' }),
      ...(config.EGRESS_ALLOW.length === 0 ? {} : { sysctls: [{ name: SYSCTL, value: '0' }] }),
    },
    tolerations: [...tolerations, ...TOLERATIONS],
    initContainers: [
      {
        ...common,
        name: 'workspace',
        command: ['sh', '-c', MAKE_WORKSPACE],
        volumeMounts: [{ name: 'workspace', mountPath: VOLUME_ROOT }],
      },
    ],
    containers: [
      {
        ...common,
        name: CONTAINER,
        command: ['sh', '-c', WITHOUT_LOG, 'sh', ...init],
        workingDir: WORKSPACE,
        env: [...CLUSTER_VARIABLES.map((variable) => `${variable}=`), ...sandboxEnvironment(disk !== null, surroundings)].map(toVariable),
        volumeMounts: [
          { name: 'workspace', mountPath: WORKSPACE, subPath: SUBPATH },
          { name: 'tmp', mountPath: '/tmp' },
          { name: 'shm', mountPath: '/dev/shm' },
          ...Object.keys(surroundings?.directories ?? {}).map((mountPath, n) => ({ name: `surroundings-${n}`, mountPath })),
        ],
      },
    ],
    volumes: [
      claim === null
        ? inMemory('workspace', config.CONTAINER_TMPFS_WORKSPACE_SIZE)
        : { name: 'workspace', persistentVolumeClaim: { claimName: claim } },
      inMemory('tmp', config.CONTAINER_TMPFS_TMP_SIZE),
      inMemory('shm', SHM_BYTES),
      ...Object.values(surroundings?.directories ?? {}).map((bytes, n) => inMemory(`surroundings-${n}`, bytes)),
    ],
  };
}

/** What the pod security standard `restricted` asks for, and a root that nobody writes to. */
const CONFINED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  privileged: false,
  capabilities: { drop: ['ALL'] },
} as const;

function resources(config: Config, options: SandboxOptions) {
  const memory = String(memoryLimit(config, options));
  const cpus = options.cpus ?? config.CONTAINER_CPU_QUOTA / config.CONTAINER_CPU_PERIOD;
  const milli = Math.max(1, Math.round(cpus * 1000));
  // A request may not be larger than its limit.
  return { limits: { memory, cpu: `${milli}m` }, requests: { memory, cpu: `${Math.min(milli, REQUESTED_MILLI_CPU)}m` } };
}

function inMemory(name: string, bytes: number) {
  return { name, emptyDir: { medium: 'Memory', sizeLimit: String(bytes) } };
}

function toVariable(text: string): { name: string; value: string } {
  const at = text.indexOf('=');
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}
