import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeClusterKeys } from './cluster-keys.mjs';
import { ClusterNetwork } from './cluster-network.mjs';
import { ClusterNode } from './cluster-node.mjs';
import { ClusterPrograms } from './cluster-programs.mjs';

/** Where what needs no network listens. */
const LOOPBACK = '127.0.0.1';
/** The namespace of the sandboxes under test. */
const NAMESPACE = 'sandboxes';
/** An API server with open streams takes a minute to end by itself. */
const API_SERVER_STOP_MS = 500;
const CONTROLLERS = [
  ...['namespace', 'serviceaccount', 'serviceaccount-token', 'root-ca-cert-publisher', 'nodelifecycle', 'podgc', 'garbagecollector'],
  ...['deployment', 'replicaset', 'disruption', 'endpoint'],
  ...['resourcequota', 'persistentvolume-binder', 'pvc-protection', 'pv-protection'],
];
/** How many persistent volumes there are. Each is used once. */
const VOLUMES = 100;
const STORAGE_CLASS = 'directories';
/** What a kubelet changes in the kernel. */
const SYSCTLS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

/**
 * Starts a Kubernetes cluster on this machine, beside everything else. Each node has a network
 * namespace of its own, so it can be cut off. All files are in a directory of its own. `stop`
 * leaves nothing behind.
 * @param {string} programs the directory of `ensureKubernetesPrograms`
 * @param {object} engine a Docker engine that has the images
 * @param {readonly string[]} images
 * @param {number} count how many nodes for sandboxes it has
 * @param {readonly string[]} ofServices images of one node more. It shares this machine's network,
 *   and takes only pods that name it. Without images there is none
 */
export async function startCluster(programs, engine, images, count, ofServices = []) {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-cluster-'));
  const at = (name) => join(directory, name);
  const [bin, root, keys] = [join(programs, 'bin'), join(programs, 'root'), at('keys')];
  const [apiPort, etcdPort, peerPort] = await freePorts(3);
  const path = [bin, join(root, 'usr/bin'), join(root, 'usr/sbin'), process.env.PATH, '/usr/sbin', '/sbin'].join(':');
  const running = new ClusterPrograms(directory, path);
  const network = new ClusterNetwork(directory, running);
  const nodes = [];
  const of = (name) => nodes.map((node) => node.program(name));
  const sysctls = SYSCTLS.map((name) => [`/proc/sys/${name}`, valueOf(`/proc/sys/${name}`)]);
  const stop = async () => {
    await running.stop([...of('kubelet'), 'scheduler', 'controllers']);
    await Promise.all(nodes.map((node) => node.removeContainers()));
    await running.stop(['apiserver'], API_SERVER_STOP_MS);
    await running.stop([...of('containerd'), 'etcd']);
    await killAllOf(directory);
    await running.stop([...of('holder'), 'network'], 0);
    for (const node of nodes) node.removeGroups();
    for (const [file, value] of sysctls) if (value !== valueOf(file)) writeFileSync(file, value);
    rmSync(directory, { recursive: true, force: true });
  };
  const kubectl = async (...args) =>
    (await promisify(execFile)(join(root, 'usr/bin/kubectl'), ['--kubeconfig', join(keys, 'admin.kubeconfig'), ...args])).stdout;
  const succeeds = (...args) =>
    kubectl(...args).then(
      () => true,
      () => false,
    );
  try {
    mkdirSync(keys, { mode: 0o700 });
    await network.start();
    const server = `https://${network.address}:${apiPort}`;
    const addNode = (address, own) => {
      const n = nodes.length;
      const names = { directory: at(`node-${n}`), cgroup: `sandbox-cluster-${process.pid}-${n}` };
      nodes.push(new ClusterNode({ root, bin, keys, programs: running, address, ...names, ...own }));
    };
    for (let n = 0; n < count; n++) addNode(network.addressOf(n), { network, images });
    if (ofServices.length > 0) addNode(network.address, { network: null, images: ofServices });
    await makeClusterKeys(
      keys,
      server,
      network.address,
      nodes.map((node) => node.address),
    );
    startControlPlane(running, { bin, root, directory, keys, address: network.address, apiPort, etcdPort, peerPort });
    for (const node of nodes) await node.startContainerd();
    for (const node of nodes) for (const image of node.images) await node.loadFrom(engine, image);
    await running.until('API server', () => succeeds('get', '--raw', '/readyz'));
    const kubeconfig = (name) =>
      ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
        (flag) => `--${flag}=${join(keys, `${name}.kubeconfig`)}`,
      );
    const quiet = [`--bind-address=${LOOPBACK}`, '--port=0', '--leader-elect=false'];
    const accounts = [`--service-account-private-key-file=${join(keys, 'accounts.key')}`, `--root-ca-file=${join(keys, 'ca.crt')}`];
    const controllers = [...kubeconfig('controllers'), ...quiet, ...accounts, `--controllers=${CONTROLLERS}`, '--secure-port=0'];
    running.start('controllers', join(bin, 'kube-controller-manager'), controllers);
    running.start('scheduler', join(bin, 'kube-scheduler'), [...kubeconfig('scheduler'), ...quiet, '--secure-port=0']);
    for (const node of nodes) node.startKubelet();
    await kubectl('create', 'namespace', NAMESPACE);
    writeFileSync(at('volumes.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: volumesIn(at('volumes')) }));
    await kubectl('create', '-f', at('volumes.json'));
    for (const { address } of nodes)
      await running.until(`node ${address}`, () => succeeds('wait', '--for=condition=Ready', '--timeout=5s', `node/${address}`));
    await running.until('service account', () => succeeds('-n', NAMESPACE, 'get', 'serviceaccount', 'default'));
    running.supervise();
    return {
      directory,
      kubeconfig: join(keys, 'admin.kubeconfig'),
      namespace: NAMESPACE,
      kubectl: join(root, 'usr/bin/kubectl'),
      server,
      ctr: nodes[0].ctr,
      nodes: nodes.slice(0, count).map(({ address, socket }) => ({ address, containerd: socket })),
      services: ofServices.length > 0 ? network.address : null,
      network: network.holder,
      /** The ids of all containers that run. */
      containers: () => nodes.flatMap((node) => node.containers()),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startControlPlane(running, { bin, root, directory, keys, address, apiPort, etcdPort, peerPort }) {
  const key = (name) => join(keys, name);
  const [clients, peers] = [etcdPort, peerPort].map((port) => `http://${LOOPBACK}:${port}`);
  running.start('etcd', join(root, 'usr/bin/etcd'), [
    ...[
      '--name=test',
      `--data-dir=${join(directory, 'etcd')}`,
      `--initial-cluster=test=${peers}`,
      '--unsafe-no-fsync',
      '--logger=zap',
      '--log-level=warn',
    ],
    ...[
      `--listen-client-urls=${clients}`,
      `--advertise-client-urls=${clients}`,
      `--listen-peer-urls=${peers}`,
      `--initial-advertise-peer-urls=${peers}`,
    ],
  ]);
  running.start('apiserver', join(bin, 'kube-apiserver'), [
    ...[
      `--etcd-servers=${clients}`,
      `--bind-address=${address}`,
      `--secure-port=${apiPort}`,
      '--insecure-port=0',
      `--advertise-address=${address}`,
    ],
    ...['--endpoint-reconciler-type=none', '--service-cluster-ip-range=10.96.0.0/16', `--cert-dir=${keys}`],
    ...[`--tls-cert-file=${key('apiserver.crt')}`, `--tls-private-key-file=${key('apiserver.key')}`, `--client-ca-file=${key('ca.crt')}`],
    ...[`--kubelet-client-certificate=${key('kubelet-client.crt')}`, `--kubelet-client-key=${key('kubelet-client.key')}`],
    ...[`--kubelet-certificate-authority=${key('ca.crt')}`, '--kubelet-preferred-address-types=InternalIP'],
    ...[`--service-account-key-file=${key('accounts.key')}`, `--service-account-signing-key-file=${key('accounts.key')}`],
    ...[
      '--service-account-issuer=https://kubernetes.default.svc',
      '--authorization-mode=Node,RBAC',
      '--anonymous-auth=false',
      '--profiling=false',
    ],
    '--enable-admission-plugins=NodeRestriction',
  ]);
}

/**
 * Describes a storage class, and its volumes: directories that every user may write to, as most
 * classes see to by a pod's fsGroup. A kubelet does not do that for a directory of its node.
 */
function volumesIn(directory) {
  const storageClass = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: STORAGE_CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
  };
  const volumes = Array.from({ length: VOLUMES }, (_, number) => {
    const path = join(directory, String(number));
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
    const spec = { capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: STORAGE_CLASS, hostPath: { path } };
    return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: `${STORAGE_CLASS}-${number}` }, spec };
  });
  return [storageClass, ...volumes];
}

/** Finds ports that nobody listens on. Another process may take one before the cluster does. */
async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, LOOPBACK, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function valueOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Kills the shims of containers, which outlive containerd. */
async function killAllOf(directory) {
  for (let tries = 0; tries < 100; tries++) {
    const left = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isShim(name, directory));
    if (left.length === 0) return;
    for (const pid of left) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    await sleep(50);
  }
}

function isShim(pid, directory) {
  const commandLine = valueOf(`/proc/${pid}/cmdline`);
  return commandLine.includes('containerd-shim') && commandLine.includes(directory);
}
