import { createHash } from 'node:crypto';
import { type Config, MIN_FREE_MEMORY_BYTES, SHM_BYTES } from '@sandbox/config';
import { formatOptions, formatSettings, type SandboxOptions, type SessionSettings } from '@sandbox/sessions';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { diskLimit, entryLimit } from '../../options/disk-limit';
import { memoryLimit } from '../../options/memory-limit';
import type { DiskBound } from '../../options/runtime-capabilities';
import { sandboxEnvironment, WORKSPACE } from '../../surroundings/environment';
import { surroundingsOf } from '../../surroundings/surroundings';
import type { Sandbox, SandboxOwner } from '../sandbox-runtime';
import { WAITING_INIT, watchingInit } from '../init-process';
import { SANDBOX_UID } from '../sandbox-user';
import { SECCOMP_PROFILE } from './seccomp-profile';

export const LABEL = {
  deployment: 'sandbox-api.deployment',
  kind: 'sandbox-api.kind',
  session: 'sandbox-api.session',
  user: 'sandbox-api.user',
  spec: 'sandbox-api.spec',
  options: 'sandbox-api.options',
  settings: 'sandbox-api.settings',
  /** The name of the container's directory (channel-directories.ts). */
  channel: 'sandbox-api.channel',
  /** Of a volume: one of VOLUME. Older volumes have none, and are persistent. */
  volume: 'sandbox-api.volume',
  /** Of a persistent volume: its limit in bytes. */
  disk: 'sandbox-api.disk',
} as const;

/** Values of LABEL.kind. */
export const KIND = { session: 'session', volumeInit: 'volume-init' } as const;

/** Values of LABEL.volume: it outlives its container, or ends with it. */
export const VOLUME = { persistent: 'persistent', disk: 'disk' } as const;

const PAGE_BYTES = 4096;
/**
 * The memory that the kernel takes for each file or directory of a tmpfs, besides its pages: 960
 * bytes on Linux 6.18 (an inode of shmem and a dentry), and 512 more for a name of over 31
 * characters. To measure it: read `memory.usage_in_bytes` (cgroup v2: `memory.current`) of a
 * container before and after it makes 40,000 empty files in a tmpfs.
 */
const INODE_BYTES = 1000;
const OOM_SCORE_ADJ = 500;
/**
 * The weight of a sandbox for the CPU. Other processes have 1024. So the service, which all
 * sandboxes need, goes before any of them if the CPU is short.
 */
const CPU_SHARES = 128;
/** The smallest quota that the kernel takes, µs. */
const MIN_CPU_QUOTA = 1_000;

type SandboxHostConfig = HostConfig & { CgroupnsMode: 'private' };
export type WorkspaceMount = NonNullable<HostConfig['Mounts']>[number];
type SandboxSpec = ContainerCreateOptions & { HostConfig: SandboxHostConfig };

/** A session's container. The whole key: a claimed container has no label that says whose it is. */
export function containerName(config: Config, key: string): string {
  return `${prefix(config)}${key}`;
}

/**
 * A container that is made for a slot of the pool: the name is the lock under which one process
 * makes it. Other settings have other slots.
 */
export function pooledName(config: Config, spec: string, slot: number): string {
  return `${prefix(config)}pool-${spec}-${slot}`;
}

/**
 * The same once it runs, and waits to be claimed: no other ever has that name, so by it no other
 * can be claimed.
 */
export function waitingName(config: Config, spec: string, slot: number, id: string): string {
  return `${pooledName(config, spec, slot)}-${id.slice(0, 12)}`;
}

/**
 * Makes the regular expression by which the engine's list finds what waits, in one slot or in any.
 */
export function waitingPattern(config: Config, spec: string, slot?: number): string {
  return `^/${prefix(config)}pool-${spec}-${slot ?? '[0-9]+'}-`;
}

/** Makes the name of a container that was taken out of its place to be removed. */
export function discardedName(config: Config, id: string): string {
  return `${prefix(config)}discarded-${id.slice(0, 12)}`;
}

/**
 * Reads a container's name.
 * @param currentSpec the spec hash of the pooled containers of this process
 */
export function placeOf(config: Config, currentSpec: string, name: string): Pick<Sandbox, 'key' | 'slot'> {
  const rest = name.startsWith(prefix(config)) ? name.slice(prefix(config).length) : '';
  const [, spec, number] = /^pool-([0-9a-f]{16})-(\d{1,4})(?:-[0-9a-f]{12})?$/.exec(rest) ?? [];
  return {
    key: /^[0-9a-f]{64}$/.test(rest) ? rest : null,
    slot: spec === undefined ? null : { number: Number(number), current: spec === currentSpec },
  };
}

function prefix({ DEPLOYMENT }: Config): string {
  return `sandbox-${DEPLOYMENT}-`;
}

export function volumeName(config: Config, key: string): string {
  return `${prefix(config)}${key.slice(0, 32)}-workspace`;
}

/** Makes the name of the volume by which an engine shows whether it can set quotas. */
export function quotaProbeName(config: Config, random: string): string {
  return `${prefix(config)}quota-${random}`;
}

/** Makes the labels of everything that a session has on the engine. */
export function ownerLabels(config: Config, owner: SandboxOwner, kind: string): Record<string, string> {
  return { [LABEL.deployment]: config.DEPLOYMENT, [LABEL.kind]: kind, [LABEL.session]: owner.key, [LABEL.user]: owner.userKey };
}

/**
 * Tells containers made from one configuration and with some options from others: 16 hex digits
 * over all that is not the owner's.
 */
export function specHash(config: Config, options: SandboxOptions = {}): string {
  return createHash('sha256')
    .update(JSON.stringify(commonSpec(config, options)))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Makes the request to Docker for the container of a session. Its labels tell a store that has
 * forgotten the session which options it has.
 * @param mount the volume of a workspace on the disk; null: the workspace is in memory
 * @param bound who bounds that volume
 */
export function containerSpec(
  config: Config,
  owner: SandboxOwner,
  options: SandboxOptions = {},
  settings: SessionSettings = {},
  mount: WorkspaceMount | null = null,
  bound: DiskBound = 'measured',
): SandboxSpec {
  const spec = commonSpec(config, options, bound);
  const [asked, set] = [formatOptions(options), formatSettings(settings)];
  return {
    ...spec,
    name: containerName(config, owner.key),
    Labels: {
      ...ownerLabels(config, owner, KIND.session),
      [LABEL.spec]: specHash(config, options),
      ...(asked === '' ? {} : { [LABEL.options]: asked }),
      ...(set === '{}' ? {} : { [LABEL.settings]: set }),
    },
    HostConfig: mount === null ? spec.HostConfig : { ...spec.HostConfig, Mounts: [mount] },
  };
}

/**
 * Makes the request to Docker for a container that waits for its session. When the container is
 * claimed, its name changes and says which session has it.
 */
export function pooledSpec(config: Config, slot: number): SandboxSpec {
  const spec = specHash(config);
  return {
    ...commonSpec(config, {}),
    name: pooledName(config, spec, slot),
    Labels: { [LABEL.deployment]: config.DEPLOYMENT, [LABEL.kind]: KIND.session, [LABEL.spec]: spec },
  };
}

function commonSpec(config: Config, options: SandboxOptions, bound: DiskBound = 'measured'): SandboxSpec {
  const disk = diskLimit(config, options);
  return {
    Image: options.image ?? config.CONTAINER_IMAGE,
    Hostname: 'sandbox',
    User: `${SANDBOX_UID}:${SANDBOX_UID}`,
    WorkingDir: WORKSPACE,
    Entrypoint: disk === null ? [...WAITING_INIT] : watchingInit(bound === 'quota' ? 0 : disk, entryLimit(disk)),
    Cmd: [],
    Env: sandboxEnvironment(disk !== null, surroundingsOf(config)),
    Tty: false,
    OpenStdin: false,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { ...confinement(config), ...resolver(config), ...limits(config, options), ...mounts(config, options) },
  };
}

/**
 * Has programs ask the agent for names (agent/PROTOCOL.md, "resolver"), which binds port 53 without
 * a privilege. Without EGRESS_ALLOW nobody answers there, so a sandbox is made as ever.
 */
function resolver({ EGRESS_ALLOW }: Config) {
  if (EGRESS_ALLOW.length === 0) return {};
  return { Dns: ['127.0.0.1'], Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' } };
}

function confinement(config: Config) {
  return {
    NetworkMode: 'none',
    IpcMode: 'private',
    CgroupnsMode: 'private' as const,
    Privileged: false,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges:true', `seccomp=${JSON.stringify(SECCOMP_PROFILE)}`],
    ...(config.CONTAINER_RUNTIME === '' ? {} : { Runtime: config.CONTAINER_RUNTIME }),
    Init: false,
    AutoRemove: false,
    RestartPolicy: { Name: 'no' },
    // Any other driver would copy every byte of every exec to the host's disk.
    LogConfig: { Type: 'none', Config: {} },
  };
}

function limits(config: Config, options: SandboxOptions) {
  const { cpus, pids } = options;
  const bytes = memoryLimit(config, options);
  return {
    Memory: bytes,
    MemorySwap: bytes,
    OomScoreAdj: OOM_SCORE_ADJ,
    CpuShares: CPU_SHARES,
    CpuPeriod: config.CONTAINER_CPU_PERIOD,
    CpuQuota: cpus === undefined ? config.CONTAINER_CPU_QUOTA : Math.max(MIN_CPU_QUOTA, Math.round(cpus * config.CONTAINER_CPU_PERIOD)),
    PidsLimit: pids ?? config.CONTAINER_PIDS_LIMIT,
    // No nproc: the kernel counts it by uid, over all containers of the host.
    Ulimits: [
      { Name: 'nofile', Soft: config.CONTAINER_ULIMIT_NOFILE_SOFT, Hard: config.CONTAINER_ULIMIT_NOFILE_HARD },
      // No core file, and with 1 byte, unlike with 0, no program of the host that takes one by a
      // pipe either (core(5), fs/coredump.c).
      { Name: 'core', Soft: 1, Hard: 1 },
    ],
  };
}

/**
 * The three may execute: a command can run what it puts in /workspace anyway. `noexec` on the
 * others stops nobody, and it breaks compilers, `go test`, ctypes and test runners. Without the
 * word `exec` the engine mounts a tmpfs noexec.
 */
function mounts(config: Config, options: SandboxOptions) {
  return {
    ReadonlyRootfs: true,
    ShmSize: SHM_BYTES,
    Tmpfs: {
      '/tmp': tmpfs(config.CONTAINER_TMPFS_TMP_SIZE, 'exec,mode=1777'),
      // ShmSize alone leaves its inodes without a bound.
      '/dev/shm': tmpfs(SHM_BYTES, 'exec,mode=1777'),
      ...(diskLimit(config, options) !== null ? {} : { [WORKSPACE]: workspaceTmpfs(config, memoryLimit(config, options)) }),
      ...surroundingMounts(config),
    },
  };
}

/** The agent writes there, and has the uid of the programs. Nothing there is to be executed. */
function surroundingMounts(config: Config): Record<string, string> {
  const directories = Object.entries(surroundingsOf(config)?.directories ?? {});
  return Object.fromEntries(
    directories.map(([path, bytes]) => [path, tmpfs(bytes, `noexec,uid=${SANDBOX_UID},gid=${SANDBOX_UID},mode=0755`)]),
  );
}

/**
 * It has as many inodes as the memory carries beside a full /workspace, so that small files do not
 * come to an end at 0 % use: 100,663 by default, and a full archive has 100,000. A /workspace that
 * is full in both ways still leaves the session the 32 MiB that it needs.
 * @param memory limit of the sandbox, bytes
 */
function workspaceTmpfs({ CONTAINER_TMPFS_WORKSPACE_SIZE: size }: Config, memory: number): string {
  const carried = Math.floor((memory - MIN_FREE_MEMORY_BYTES - size) / INODE_BYTES);
  return tmpfs(size, `exec,uid=${SANDBOX_UID},gid=${SANDBOX_UID},mode=0700`, Math.max(carried, pages(size)));
}

/**
 * Inodes are bounded as well: empty files take no space of a tmpfs, but the kernel's memory for
 * them is the sandbox's.
 */
function tmpfs(bytes: number, options: string, inodes = pages(bytes)): string {
  return `rw,nosuid,nodev,${options},size=${bytes},nr_inodes=${inodes}`;
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}
