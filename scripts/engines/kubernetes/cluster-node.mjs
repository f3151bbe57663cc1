import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, SetupError } from '../../setup/steps.mjs';
import { PAUSE_IMAGE, pauseImage } from './pause-image.mjs';

const CALL_MS = 120_000;
/** ctr removes containers one after the other. */
const REMOVAL_MS = 10_000;
const REMOVAL_OF_ONE_MS = 500;
const CGROUPS = '/sys/fs/cgroup';

/**
 * Directories that a node has for itself. They are in memory, in a mount namespace that its
 * programs share, and end with it.
 */
const OWN_DIRECTORIES = ['/var/log/pods', '/var/log/containers', '/run/netns', '/run/containerd', '/var/lib/cni'];

/**
 * The network of pods: none. containerd wants an eth0 in the result, so this plug-in says that it
 * has made one, and does not.
 */
const NO_NETWORK = `#!/bin/sh
case "$CNI_COMMAND" in
ADD) cat >/dev/null; echo '{"cniVersion":"0.4.0","interfaces":[{"name":"eth0","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"version":"4","interface":0,"address":"169.254.0.1/32"}]}' ;;
VERSION) echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}' ;;
*) cat >/dev/null ;;
esac
`;

/** Each node has its own address, so all of them can have the usual port. */
const KUBELET_PORT = 10_250;

/**
 * A node of a test cluster: containerd and a kubelet, in a mount namespace of their own, and mostly
 * in a network namespace too.
 */
export class ClusterNode {
  /**
   * @param {object} cluster
   * @param {string} cluster.root where Debian's packages are unpacked
   * @param {string} cluster.bin the binaries of Kubernetes
   * @param {string} cluster.directory the node's own
   * @param {string} cluster.keys
   * @param {string} cluster.address
   * @param {import('./cluster-network.mjs').ClusterNetwork | null} cluster.network null: the node
   *   shares this machine's network, and takes only pods that name it
   * @param {readonly string[]} cluster.images what it has of the engine's images
   * @param {string} cluster.cgroup name of the node's control groups
   * @param {import('./cluster-programs.mjs').ClusterPrograms} cluster.programs
   */
  constructor(cluster) {
    Object.assign(this, cluster);
    this.socket = join(this.directory, 'containerd.sock');
    this.ctr = join(this.root, 'usr/bin/ctr');
  }

  /** @returns the name of a program of this node, such as `kubelet-127.0.0.1` */
  program(name) {
    return `${name}-${this.address}`;
  }

  /** @returns the command that runs a program in the node's namespaces */
  get enter() {
    return ['nsenter', '--mount', ...this.ownNetwork, '--target', String(this.holder)];
  }

  get ownNetwork() {
    return this.network === null ? [] : ['--net'];
  }

  async startContainerd() {
    const at = (name) => join(this.directory, name);
    mkdirSync(this.directory);
    for (const name of ['containerd/root', 'containerd/state', 'cni', 'cni-bin', 'kubelet']) mkdirSync(at(name), { recursive: true });
    const mounts = OWN_DIRECTORIES.map((path) => `mkdir -p ${path} && mount -t tmpfs -o mode=755 own ${path}`).join(' && ');
    // kubelets want their directory to be shared with what they start.
    const shared = `mount --bind '${this.directory}' '${this.directory}' && mount --make-rshared '${this.directory}'`;
    const script = `${mounts} && ${shared} && touch '${at('entered')}' && exec tail -f /dev/null`;
    const apart = ['unshare', '--mount', ...this.ownNetwork, '--propagation', 'private'];
    this.holder = this.programs.start(this.program('holder'), 'sh', ['-c', script], apart);
    await this.programs.until('namespaces of a node', () => existsSync(at('entered')));
    await this.network?.connect(this.address, this.holder);
    for (const plugin of readdirSync(join(this.root, 'usr/lib/cni')))
      symlinkSync(join(this.root, 'usr/lib/cni', plugin), at(`cni-bin/${plugin}`));
    writeFileSync(at('cni-bin/no-network'), NO_NETWORK);
    chmodSync(at('cni-bin/no-network'), 0o755);
    writeFileSync(at('cni/10.conflist'), JSON.stringify({ cniVersion: '0.4.0', name: 'pods', plugins: [{ type: 'no-network' }] }));
    writeFileSync(at('containerd.toml'), this.containerdSettings());
    this.programs.start(this.program('containerd'), join(this.root, 'usr/bin/containerd'), ['--config', at('containerd.toml')], this.enter);
    await this.programs.until('containerd', () => this.answers());
  }

  startKubelet() {
    for (const controller of readdirSync(CGROUPS)) {
      if (controller === 'unified' || !existsSync(join(CGROUPS, controller, 'tasks'))) continue;
      mkdirSync(join(CGROUPS, controller, this.cgroup), { recursive: true });
    }
    // A new group of this controller is empty, and takes no process.
    for (const name of ['cpuset.cpus', 'cpuset.mems'].filter((each) => existsSync(join(CGROUPS, 'cpuset', each))))
      writeFileSync(join(CGROUPS, 'cpuset', this.cgroup, name), readFileSync(join(CGROUPS, 'cpuset', name)));
    const settings = join(this.directory, 'kubelet.json');
    writeFileSync(settings, JSON.stringify(this.kubeletSettings()));
    const args = [
      '--config',
      settings,
      '--kubeconfig',
      join(this.keys, `node-${this.address}.kubeconfig`),
      '--hostname-override',
      this.address,
    ];
    args.push(
      '--root-dir',
      join(this.directory, 'kubelet'),
      '--cert-dir',
      join(this.directory, 'kubelet/pki'),
      '--container-runtime',
      'remote',
    );
    // Newer kubelets look below their own directory by themselves.
    args.push('--seccomp-profile-root', join(this.directory, 'kubelet/seccomp'));
    args.push('--container-runtime-endpoint', `unix://${this.socket}`, '--pod-infra-container-image', PAUSE_IMAGE);
    if (this.network === null) args.push('--register-with-taints', 'services=only:NoSchedule');
    this.programs.start(this.program('kubelet'), join(this.bin, 'kubelet'), args, this.enter);
  }

  /** Copies an image from a Docker engine as a stream, without a file between. */
  async loadFrom(engine, tag) {
    await this.import((input) => input.end(pauseImage(join(this.bin, 'pause'))));
    await this.import((input) => {
      const options = { ...engine.options, agent: false, path: `/images/${encodeURI(tag)}/get`, timeout: CALL_MS };
      const request = engine.transport.request(options, (response) => {
        if (response.statusCode === 200) response.pipe(input);
        else input.destroy(new Error(`the image ${tag} cannot be read: status ${response.statusCode}`));
      });
      request.on('error', (error) => input.destroy(error)).end();
    });
  }

  /** Removes all containers, which outlive containerd. */
  async removeContainers() {
    const ids = this.containers();
    if (ids.length === 0) return;
    const deadlineMs = REMOVAL_MS + REMOVAL_OF_ONE_MS * ids.length;
    const ctr = (...args) => run(this.ctr, ['--address', this.socket, '-n', 'k8s.io', ...args], { deadlineMs }).catch(() => undefined);
    await ctr('tasks', 'rm', '-f', ...ids);
    await ctr('containers', 'rm', ...ids);
  }

  /** Removes what is left in the kernel after its programs have ended. */
  removeGroups() {
    for (const controller of readdirSync(CGROUPS)) removeGroup(join(CGROUPS, controller, this.cgroup));
  }

  /** Every container that runs has a directory there. */
  containers() {
    const folder = join(this.directory, 'containerd/state/io.containerd.runtime.v2.task/k8s.io');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  async answers() {
    return run(this.ctr, ['--address', this.socket, 'version'], { deadlineMs: CALL_MS }).then(
      () => true,
      () => false,
    );
  }

  /** @param {(input: import('node:stream').Writable) => void} write */
  async import(write) {
    const args = ['--address', this.socket, '-n', 'k8s.io', 'images', 'import', '-'];
    const child = spawn(this.ctr, args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: CALL_MS });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => (said = (said + chunk).slice(-1000)));
    // The reason is its exit code, or the error of the source.
    child.stdin.on('error', (error) => (said = `${said}${error.message}`));
    write(child.stdin);
    const code = await new Promise((resolve) => child.on('close', resolve).on('error', resolve));
    if (code !== 0) throw new SetupError(`An image could not be copied to the cluster (${code}): ${said}`);
  }

  containerdSettings() {
    const at = (name) => JSON.stringify(join(this.directory, name));
    const unused = ['snapshotter.v1.aufs', 'snapshotter.v1.btrfs', 'snapshotter.v1.devmapper', 'snapshotter.v1.zfs', 'internal.v1.opt'];
    // A machine may lack CAP_SYS_RESOURCE. runc then may not lower an oom_score_adj, and no pod
    // would start.
    return `version = 2
root = ${at('containerd/root')}
state = ${at('containerd/state')}
disabled_plugins = ${JSON.stringify(unused.map((name) => `io.containerd.${name}`))}
[grpc]
  address = ${at('containerd.sock')}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  stream_server_address = "${this.address}"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${at('cni-bin')}
    conf_dir = ${at('cni')}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
  }

  kubeletSettings() {
    const key = (name) => join(this.keys, name);
    return {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      address: this.address,
      port: KUBELET_PORT,
      readOnlyPort: 0,
      healthzPort: 0,
      tlsCertFile: key(`node-${this.address}.crt`),
      tlsPrivateKeyFile: key(`node-${this.address}.key`),
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: key('ca.crt') } },
      authorization: { mode: 'Webhook' },
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${this.cgroup}`,
      enforceNodeAllocatable: ['pods'],
      failSwapOn: false,
      oomScoreAdj: 0,
      resolvConf: '',
      makeIPTablesUtilChains: false,
      imageGCHighThresholdPercent: 100,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '2%' },
      maxPods: 200,
      podPidsLimit: 512,
      nodeStatusUpdateFrequency: '2s',
      serializeImagePulls: false,
      // Safe from 1.22 on. The agent's resolver binds port 53.
      allowedUnsafeSysctls: ['net.ipv4.ip_unprivileged_port_start'],
      // On by itself from 1.22 on. Without it, a volume in memory has no limit.
      featureGates: { DevicePlugins: false, SizeMemoryBackedVolumes: true },
    };
  }
}

function removeGroup(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(join(path, entry.name));
  try {
    // The kernel's own files in it go with the directory.
    rmdirSync(path);
  } catch {
    // A process has not ended quite yet.
  }
}
