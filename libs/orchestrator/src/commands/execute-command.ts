import type { Config } from '@sandbox/config';
import type { AgentRequest } from '../channel/channel';
import { parseShellCommand, timeoutMs, type ShellCommand } from './shell-command';

/** A command to run. Field names are those of POST /execute and of the MCP tool. */
export interface ExecuteCommand extends ShellCommand {
  session_id: string;
  /** Seconds. */
  timeout?: number;
  stdin?: string;
  /** How stdout and stderr stand in the answer. */
  encoding?: 'utf8' | 'base64';
}

export type ExecRequest = AgentRequest & { op: 'exec' };

/** A command as the agent takes it, but for the shell, which the policy chooses. */
export interface ParsedExecuteCommand {
  readonly request: Omit<ExecRequest, 'shell'>;
  readonly stdin: string | undefined;
  /** How long the call to the agent may take. */
  readonly deadlineMs: number;
}

/** The agent ends a command at its timeout. It has this much longer to say so. */
const EXEC_GRACE_MS = 5_000;
/** Tells the author of a longer timeout what to do. Field names are those of MCP and REST. */
const LONGER_WORK = 'for longer work use background: true (over REST a job, POST …/jobs)';

/**
 * Reads what a caller asks to have run.
 * @param maxOutput bytes of each stream that the agent sends; null: all
 * @throws SandboxError VALIDATION_FAILED if the timeout is out of range; INVALID_WORKING_DIR
 */
export function parseExecuteCommand(command: ExecuteCommand, config: Config, maxOutput: number | null): ParsedExecuteCommand {
  const seconds = command.timeout ?? config.DEFAULT_EXEC_TIMEOUT_SECONDS;
  const timeout = timeoutMs(seconds, config.MAX_EXEC_TIMEOUT_SECONDS, LONGER_WORK);
  const { stdin } = command;
  return {
    request: { op: 'exec', timeout_ms: timeout, ...parseShellCommand(command), max_output: maxOutput, stdin: stdin !== undefined },
    stdin,
    deadlineMs: timeout + EXEC_GRACE_MS,
  };
}
