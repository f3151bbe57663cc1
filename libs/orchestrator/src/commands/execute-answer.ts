import type { Config } from '@sandbox/config';
import { limitReport, type LimitReport } from './limit-report';
import type { NetworkReport } from '../outgoing/network-report';
import type { OpenSandbox } from '../entering/open-sandbox';
import { shortId } from '../entering/short-id';
import type { CommandEnd } from './run-command';

/** Tells where a command runs. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteStart {
  /** The first 12 hex digits of the container's id. */
  container_id: string;
  /**
   * Whether this call made the session. Then what an earlier one of its name had is gone, unless
   * its workspace is persistent.
   */
  session_created: boolean;
  /** Whether the sandbox was made or started anew, and no answer has said so before. */
  session_restarted: boolean;
}

/** Tells how a command ended. */
export interface ExecuteExit extends LimitReport, NetworkReport {
  exit_code: number;
  /** Seconds, 3 decimals. */
  execution_time: number;
  timed_out: boolean;
  truncated: boolean;
}

export interface ExecuteResult extends ExecuteStart, ExecuteExit {
  stdout: string;
  stderr: string;
}

/**
 * Makes the first part of an answer. Only one answer tells of a restart, so this is called when the
 * answer goes out.
 */
export async function executeStart({ containerId, created, takeRestarted }: OpenSandbox): Promise<ExecuteStart> {
  return { container_id: shortId(containerId), session_created: created, session_restarted: await takeRestarted() };
}

/** Makes the last part of an answer. */
export function executeExit(end: CommandEnd, truncated: boolean, config: Config, { options }: OpenSandbox): ExecuteExit {
  return {
    exit_code: end.exitCode,
    execution_time: Number(end.seconds.toFixed(3)),
    timed_out: end.timedOut,
    truncated,
    ...limitReport(end, config, options),
    ...end.network,
  };
}
