import type { Config } from '@sandbox/config';
import { oomReport, type OomReport } from './oom';
import type { OpenSandbox } from '../entering/session-connections';
import { shortId } from '../entering/short-id';
import type { CommandEnd } from './run-command';

/** Where a command runs. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteStart {
  /** The first 12 hex digits of the container's id. */
  container_id: string;
  /**
   * This call made the session: what one of that name had before is gone, unless its workspace is
   * persistent.
   */
  session_created: boolean;
  session_restarted: boolean;
}

/** How a command ended. */
export interface ExecuteExit extends OomReport {
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

/** Takes the word of a restart: to be called where the answer goes out. */
export async function executeStart({ containerId, created, takeRestarted }: OpenSandbox): Promise<ExecuteStart> {
  return { container_id: shortId(containerId), session_created: created, session_restarted: await takeRestarted() };
}

export function executeExit(
  { exitCode, timedOut, oomKilled, seconds }: CommandEnd,
  truncated: boolean,
  config: Config,
  { options }: OpenSandbox,
): ExecuteExit {
  return {
    exit_code: exitCode,
    execution_time: Number(seconds.toFixed(3)),
    timed_out: timedOut,
    truncated,
    ...oomReport(oomKilled, config, options),
  };
}
