import type { Config } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';
import { memoryLimit } from '../options/memory-limit';

/** The members of an answer that tell which limits of the sandbox were reached. */
export interface LimitReport {
  /** Whether the kernel killed a process of the sandbox for memory meanwhile. */
  oom_killed: boolean;
  /** Bytes that the sandbox may use. Present if `oom_killed` is true. */
  memory_limit?: number;
  /**
   * Present if the limit of the session's disk was reached meanwhile, in bytes or in files. What
   * ran in the session was ended, or could not write.
   */
  disk_limit?: boolean;
}

/** The limits that a sandbox says it has reached. */
export interface ReachedLimits {
  readonly oomKilled: boolean;
  readonly diskLimit: boolean;
}

/**
 * Makes the members of an answer that tell of limits. The limit of memory is what the API asked the
 * engine for, so the sandbox has no say in it.
 */
export function limitReport({ oomKilled, diskLimit }: ReachedLimits, config: Config, options: SandboxOptions): LimitReport {
  return {
    oom_killed: oomKilled,
    ...(oomKilled ? { memory_limit: memoryLimit(config, options) } : {}),
    ...(diskLimit ? { disk_limit: true } : {}),
  };
}
