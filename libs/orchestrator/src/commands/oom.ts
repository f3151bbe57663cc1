import type { Config } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';
import { memoryLimit } from '../options/memory-limit';

/** The members of an answer that tell of memory. */
export interface OomReport {
  /** Whether the kernel killed a process of the sandbox for memory meanwhile. */
  oom_killed: boolean;
  /** Bytes that the sandbox may use. Present if `oom_killed` is true. */
  memory_limit?: number;
}

/**
 * Makes the members of an answer that tell of memory. The limit is what the API asked the engine
 * for, so the sandbox has no say in it.
 */
export function oomReport(killed: boolean, config: Config, options: SandboxOptions): OomReport {
  return killed ? { oom_killed: true, memory_limit: memoryLimit(config, options) } : { oom_killed: false };
}
