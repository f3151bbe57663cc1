import { needsBash } from './bash-only';
import type { CommandPolicy } from './command-policy';
import { ParsedCommand } from './parsed-command';

/** What a caller or EXEC_SHELL may ask for. `auto`: bash if the command needs it, else sh. */
export const SHELLS = ['auto', 'sh', 'bash'] as const;
export type WantedShell = (typeof SHELLS)[number];

/** What the agent is asked for. `bash-or-sh`: bash if the image has it, else sh. */
export type AgentShell = 'sh' | 'bash' | 'bash-or-sh';

/**
 * Checks a command against the policy and says which shell is to run it. Plain commands stay with
 * sh, which starts faster.
 *
 * A strict policy judges by the shell. What it lets pass in sh does no more in bash, so either may
 * run it. What it lets pass in bash alone is bash's alone.
 * @param env the variables that the request sets
 * @throws SandboxError COMMAND_NOT_ALLOWED
 */
export function chooseShell(text: string, wanted: WantedShell, policy: CommandPolicy, env: Readonly<Record<string, string>>): AgentShell {
  const command = new ParsedCommand(text);
  const shell = wanted === 'auto' ? (needsBash(command) ? 'bash-or-sh' : 'sh') : wanted;
  if (shell !== 'bash-or-sh') {
    policy.check(command, shell, env);
    return shell;
  }
  try {
    policy.check(command, 'sh', env);
    return shell;
  } catch {
    policy.check(command, 'bash', env);
    return 'bash';
  }
}
