import { Logger } from '@nestjs/common';
import type { Connection } from '../runtime/start-agent';
import type { SandboxOwner, SandboxRuntime } from '../runtime/sandbox-runtime';
import { claimInAgent, type PooledSandboxes } from './pooled-sandboxes';

/** `lost`: another process has it. `failed`: it is ours, and no session's. */
type Outcome = Connection | 'lost' | 'failed';

const logger = new Logger('WarmPool');

/**
 * Makes a sandbox that waits the session's.
 * @param onAttempt is called after each attempt, since a slot has become vacant
 * @returns null if an attempt failed; `none` if no sandbox was to be had
 */
export async function claimPooled(
  runtime: SandboxRuntime,
  pooled: PooledSandboxes,
  owner: SandboxOwner,
  onAttempt: () => void,
): Promise<Connection | null | 'none'> {
  for (const candidate of pooled.waiting.values()) {
    pooled.beginClaim(candidate);
    const outcome = (await claimInAgent(candidate)) ? await handOver(runtime, owner, candidate) : 'lost';
    onAttempt();
    if (typeof outcome === 'object') return outcome;
    candidate.channel.close();
    if (outcome === 'failed') return null;
  }
  return 'none';
}

/** Gives a sandbox that this process has won to the session. */
async function handOver(runtime: SandboxRuntime, owner: SandboxOwner, candidate: Connection): Promise<Outcome> {
  try {
    const sandbox = await runtime.claimSandbox(owner, candidate.sandbox);
    if (sandbox?.id === candidate.sandbox.id && candidate.channel.open) return { ...candidate, sandbox };
  } catch (error) {
    logger.warn({ msg: 'no claim could be made', err: error });
  }
  return 'failed';
}
