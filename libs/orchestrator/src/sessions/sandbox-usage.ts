import { parseCount, parseObject, unsound } from '../channel/agent-values';
import type { Channel } from '../channel/channel';

/** What a sandbox uses at a moment. Null is what its kernel does not tell. Sizes are bytes. */
export interface SandboxUsage {
  /** How many CPUs it has used in the last fifth of a second: 0.5 is half of one. */
  readonly cpus: number | null;
  /** `used` is without `cache`, which the kernel may drop. */
  readonly memory: { readonly used: number; readonly cache: number } | null;
  /** Of the workspace. `size` is null if the session's limit on the disk bounds it. */
  readonly disk: { readonly free: number; readonly size: number | null };
}

const DEADLINE_MS = 10_000;

/**
 * Asks the agent what its sandbox uses.
 * @throws SandboxError SANDBOX_LOST if the answer makes no sense; what a request throws
 */
export async function measureUsage(channel: Channel, signal?: AbortSignal): Promise<SandboxUsage> {
  const { cpu, memory, disk } = await channel.sendRequest({ op: 'usage' }, { deadlineMs: DEADLINE_MS, signal });
  return { cpus: cpu === null ? null : parseCpus(cpu), memory: memory === null ? null : parseMemory(memory), disk: parseDisk(disk) };
}

function parseCpus(value: unknown): number {
  const { used_us, elapsed_us } = parseObject(value);
  const elapsed = parseCount(elapsed_us);
  if (elapsed === 0) throw unsound();
  return parseCount(used_us) / elapsed;
}

function parseMemory(value: unknown): NonNullable<SandboxUsage['memory']> {
  const { used, cache } = parseObject(value);
  return { used: parseCount(used), cache: parseCount(cache) };
}

function parseDisk(value: unknown): SandboxUsage['disk'] {
  const { free, size } = parseObject(value);
  return { free: parseCount(free), size: size === undefined ? null : parseCount(size) };
}
