import { needsBash } from './bash-only';
import type { CommandPolicy, UnlistedPrograms } from './command-policy';
import { ParsedCommand } from './parsed-command';

/**
 * The shells that a caller or EXEC_SHELL may name. `auto`: bash if the command needs it, else sh.
 */
export const SHELLS = ['auto', 'sh', 'bash'] as const;
export type WantedShell = (typeof SHELLS)[number];

/** The shell that the agent is asked for. `bash-or-sh`: bash if the image has it, else sh. */
export type AgentShell = 'sh' | 'bash' | 'bash-or-sh';

export interface ShellChoice {
  readonly shell: AgentShell;
  /** The programs that have to be the session's own, or the command may not run. */
  readonly unlisted?: UnlistedPrograms;
}

/**
 * Checks a command against the policy and chooses the shell that runs it. Plain commands run in sh,
 * which starts faster.
 *
 * A strict policy depends on the shell. A command that it allows in sh does no more in bash, so
 * either shell may run it. A command that it allows only in bash may run only in bash.
 * @param env the variables that the request sets
 * @throws SandboxError COMMAND_NOT_ALLOWED
 */
export function chooseShell(text: string, wanted: WantedShell, policy: CommandPolicy, env: Readonly<Record<string, string>>): ShellChoice {
  const command = new ParsedCommand(text);
  const shell = wanted === 'auto' ? (needsBash(command) ? 'bash-or-sh' : 'sh') : wanted;
  if (shell !== 'bash-or-sh') {
    return { shell, unlisted: policy.check(command, shell, env) };
  }
  try {
    return { shell, unlisted: policy.check(command, 'sh', env) };
  } catch {
    return { shell: 'bash', unlisted: policy.check(command, 'bash', env) };
  }
}
