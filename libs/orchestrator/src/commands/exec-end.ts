import { ErrorCode, SandboxError } from '@sandbox/errors';
import { isCount } from '../channel/agent-values';

export interface ExecEnd {
  exitCode: number;
  timedOut: boolean;
  /** The kernel killed a process of the sandbox for memory meanwhile. */
  oomKilled: boolean;
  /** Bytes of each stream that the agent left out. */
  omitted: { stdout: number; stderr: number };
}

/**
 * Reads the agent's account of how a command ended. It comes out of the sandbox: an account that makes no sense is not passed on.
 * @throws SandboxError SANDBOX_LOST
 */
export function execEnd(end: Record<string, unknown>): ExecEnd {
  const { exit_code: exitCode, timed_out: timedOut, oom_killed: oomKilled } = end;
  const omitted = (end.omitted ?? {}) as Record<string, unknown>;
  const { stdout, stderr } = omitted;
  const sound = isCount(exitCode) && exitCode <= 255 && typeof timedOut === 'boolean' && typeof oomKilled === 'boolean';
  if (!sound || !isCount(stdout) || !isCount(stderr))
    throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox gave no sound account of how the command ended.');
  return { exitCode, timedOut, oomKilled, omitted: { stdout, stderr } };
}
