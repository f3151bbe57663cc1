import type { Config } from '@sandbox/config';
import type { DiskBound } from './runtime-capabilities';

/** Why the kernel does not keep workspaces within their limit, and what would. */
const WITHOUT_QUOTA: Record<Config['SANDBOX_RUNTIME'], readonly [why: string, remedy: string]> = {
  docker: ['Docker’s data root has no project quotas', 'project quotas on Docker’s data root'],
  kubernetes: ['a cluster does not tell whether it bounds a volume', 'a storage class whose volumes have a size of their own'],
};

/**
 * Says for the start-up log how workspaces on a disk are bounded.
 * @returns null if no session can have one
 */
export function describeDisk(config: Config, bound: DiskBound): string | null {
  return mayUseDisk(config) ? `Workspaces on disk: ${by(config, bound)}` : null;
}

function by({ SANDBOX_RUNTIME }: Config, bound: DiskBound): string {
  const [why, remedy] = WITHOUT_QUOTA[SANDBOX_RUNTIME];
  if (bound === 'quota') return 'the kernel keeps each within its limit, by a project quota';
  const measured = 'each sandbox measures itself and ends its commands past the limit';
  return bound === 'measured'
    ? `${measured}, because ${why}`
    : `${measured}, but under gVisor a command can stop that; only ${remedy} would hold`;
}

/** Whether a session can have its workspace on a disk. */
export function mayUseDisk(config: Config): boolean {
  return config.MAX_SESSION_DISK !== null || config.WORKSPACE_PERSIST_VOLUMES || config.ALLOW_PERSISTENT_SESSIONS;
}
