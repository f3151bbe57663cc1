import { ErrorCode, SandboxError } from '@sandbox/errors';
import { isCount } from '../channel/agent-values';
import type { ReachedLimits } from './limit-report';

/** How a command ended, as the agent tells it. */
export interface ExecEnd extends ReachedLimits {
  exitCode: number;
  timedOut: boolean;
  /** Bytes of each stream that the agent left out. */
  omitted: { stdout: number; stderr: number };
}

/**
 * Reads how a command ended, as the agent tells it.
 * @throws SandboxError SANDBOX_LOST if it is not what an agent sends, because it comes out of the
 * sandbox
 */
export function execEnd(end: Record<string, unknown>): ExecEnd {
  const { exit_code: exitCode, timed_out: timedOut, oom_killed: oomKilled, disk_limit: diskLimit } = end;
  const omitted = (end.omitted ?? {}) as Record<string, unknown>;
  const { stdout, stderr } = omitted;
  const sound =
    isCount(exitCode) &&
    exitCode <= 255 &&
    typeof timedOut === 'boolean' &&
    typeof oomKilled === 'boolean' &&
    typeof diskLimit === 'boolean';
  if (!sound || !isCount(stdout) || !isCount(stderr))
    throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave no sound account of how the command ended.');
  return { exitCode, timedOut, oomKilled, diskLimit, omitted: { stdout, stderr } };
}
