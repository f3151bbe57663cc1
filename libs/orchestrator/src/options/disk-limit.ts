import { type Config, parseSize } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';

/** The limit of a persistent volume if neither the session nor the operator names one. */
const DEFAULT_VOLUME_BYTES = 10 * 1024 ** 3;
/** So many bytes of the limit allow one more file or directory. ext4 has an inode for 16 KiB. */
const BYTES_PER_ENTRY = 8 * 1024;
const MIN_ENTRIES = 100_000;

export function isPersistent(config: Config, { persistent }: SandboxOptions): boolean {
  return persistent ?? config.WORKSPACE_PERSIST_VOLUMES;
}

/**
 * Bytes that the workspace of a sandbox with these options may take on the host's disk.
 * @returns null if the workspace is in memory
 */
export function diskLimit(config: Config, options: SandboxOptions): number | null {
  if (options.disk !== undefined) return parseSize(options.disk);
  return isPersistent(config, options) ? (config.MAX_SESSION_DISK ?? DEFAULT_VOLUME_BYTES) : null;
}

/**
 * Files and directories that a workspace on the disk may have. Empty files take no bytes, but an
 * inode each, and the host's disk has a number of these.
 * @param bytes the workspace's limit
 */
export function entryLimit(bytes: number): number {
  return Math.max(MIN_ENTRIES, Math.floor(bytes / BYTES_PER_ENTRY));
}
