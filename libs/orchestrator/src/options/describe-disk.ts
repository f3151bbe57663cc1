import type { Config } from '@sandbox/config';
import type { DiskBound } from './runtime-capabilities';

const BY: Record<DiskBound, string> = {
  quota: 'the kernel keeps each within its limit, by a project quota',
  measured: 'each sandbox measures itself and ends its commands past the limit, because Docker’s data root has no project quotas',
  unguarded:
    'each sandbox measures itself and ends its commands past the limit, but under gVisor a command can stop that; only project quotas on Docker’s data root would hold',
};

/**
 * Says for the start-up log how workspaces on the host's disk are bounded.
 * @returns null if no session can have one
 */
export function describeDisk(config: Config, bound: DiskBound): string | null {
  return mayUseDisk(config) ? `Workspaces on disk: ${BY[bound]}` : null;
}

/** Whether a session can have its workspace on the host's disk. */
export function mayUseDisk(config: Config): boolean {
  return config.MAX_SESSION_DISK !== null || config.WORKSPACE_PERSIST_VOLUMES || config.ALLOW_PERSISTENT_SESSIONS;
}
