import { posix } from 'node:path';
import { chooseShell, type CommandPolicy, type ShellChoice, type WantedShell } from '@sandbox/command-policy';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SandboxOptions } from '@sandbox/sessions';
import type { ShellRequest } from '../channel/channel';
import { spellingAdvice } from '../paths/workspace-path';

/** A command as a caller gives it, however it is run. Field names are those of REST and MCP. */
export interface ShellCommand {
  command: string;
  /** An absolute path of the sandbox; a relative one starts at /workspace. */
  working_dir?: string;
  env?: Record<string, string>;
  /** The shell to run it; EXEC_SHELL if absent. */
  shell?: WantedShell;
}

/**
 * Reads what the agent is to run, but for the shell, which the policy chooses.
 * @throws SandboxError INVALID_WORKING_DIR if the directory begins with `~`
 */
export function parseShellCommand({ command, working_dir, env = {} }: ShellCommand): Omit<ShellRequest, 'shell'> {
  return { command, cwd: workingDirectory(working_dir), env };
}

/**
 * Checks a command against the policy.
 * @param defaultShell for a command that asks for none
 * @returns the shell that is to run it, and what the sandbox is asked first (own-programs.ts)
 * @throws SandboxError COMMAND_NOT_ALLOWED
 */
export function checkPolicy({ command, shell, env = {} }: ShellCommand, policy: CommandPolicy, defaultShell: WantedShell): ShellChoice {
  return chooseShell(command, shell ?? defaultShell, policy, env);
}

function workingDirectory(path = ''): string {
  const advice = spellingAdvice(path, 'working directory');
  if (advice !== undefined) throw new SandboxError(ErrorCode.INVALID_WORKING_DIR, advice);
  return posix.resolve('/workspace', path);
}

/** Adds the session's own variables. The command's own go before them. */
export function withSessionEnv<Request extends ShellRequest>(request: Request, { env }: SandboxOptions): Request {
  return env === undefined ? request : { ...request, env: { ...env, ...request.env } };
}

/**
 * Seconds to milliseconds.
 * @param longer what the author of a longer timeout can do instead
 * @throws SandboxError VALIDATION_FAILED
 */
export function timeoutMs(seconds: number, maxSeconds: number, longer = ''): number {
  if (seconds >= 1 && seconds <= maxSeconds) return Math.ceil(seconds * 1000);
  const message = seconds < 1 ? `${seconds} is under the minimum of 1` : `${seconds} is over the maximum of ${maxSeconds}`;
  throw new SandboxError(ErrorCode.VALIDATION_FAILED, `timeout: ${message}${longer === '' ? '' : `; ${longer}`}.`, {
    errors: [{ field: 'timeout', message }],
  });
}
