import type { Config } from '@sandbox/config';

/** The abilities that not every runtime has. The service asks the runtime and assumes nothing. */
export interface RuntimeCapabilities {
  /** Limits the processes of each sandbox: the option `pids`. */
  readonly pids: boolean;
  /** Keeps a workspace when its sandbox ends: the option `persistent`. */
  readonly persistent: boolean;
  /** Puts a workspace on a disk, within a limit: the option `disk`. */
  readonly disk: boolean;
  /** Runs sandboxes by an OCI runtime of the operator's choice: CONTAINER_RUNTIME. */
  readonly ociRuntime: boolean;
  /** Limits the open files of a process, and the size of a core. */
  readonly ulimits: boolean;
}

/**
 * Who keeps a workspace on the disk within its limit. With `quota` the kernel refuses what is past
 * it. With `measured` the sandbox measures itself, and ends its commands. `unguarded` is the same
 * under a kernel that lets commands stop PID 1, and with it the measurement.
 */
export type DiskBound = 'quota' | 'measured' | 'unguarded';

/** gVisor's runtime, under the names that it is registered by. Its kernel lets PID 1 be stopped. */
const GVISOR = /runsc|gvisor/i;

/** Tells how workspaces on the disk are bounded if the engine sets no quotas. */
export function measuredBound({ CONTAINER_RUNTIME }: Config): DiskBound {
  return GVISOR.test(CONTAINER_RUNTIME) ? 'unguarded' : 'measured';
}

/**
 * Names the settings that do nothing, because the runtime has no way to keep to them. They have
 * defaults, so nobody need have asked for them.
 */
export function ignoredSettings({ pids, ulimits }: Pick<RuntimeCapabilities, 'pids' | 'ulimits'>): (keyof Config)[] {
  return [
    ...(pids ? [] : (['CONTAINER_PIDS_LIMIT'] as const)),
    ...(ulimits ? [] : (['CONTAINER_ULIMIT_NOFILE_SOFT', 'CONTAINER_ULIMIT_NOFILE_HARD'] as const)),
  ];
}

/**
 * Compares the settings with what the runtime can do.
 * @returns one sentence for each setting that the runtime cannot honour
 */
export function unmetSettings(config: Config, capabilities: RuntimeCapabilities): string[] {
  const asked = {
    persistent: config.WORKSPACE_PERSIST_VOLUMES || config.ALLOW_PERSISTENT_SESSIONS,
    disk: config.MAX_SESSION_DISK !== null,
    ociRuntime: config.CONTAINER_RUNTIME !== '',
  };
  const settings = {
    persistent: 'WORKSPACE_PERSIST_VOLUMES and ALLOW_PERSISTENT_SESSIONS',
    disk: 'MAX_SESSION_DISK',
    ociRuntime: 'CONTAINER_RUNTIME',
  };
  return (['persistent', 'disk', 'ociRuntime'] as const)
    .filter((capability) => asked[capability] && !capabilities[capability])
    .map((capability) => `${settings[capability]} cannot be had with SANDBOX_RUNTIME=${config.SANDBOX_RUNTIME}`);
}
