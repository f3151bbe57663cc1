import { Inject, Injectable } from '@nestjs/common';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import { CONFIG, type Config } from '@sandbox/config';
import { sessionRef, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { OpenSandbox } from '../entering/open-sandbox';
import { SessionEntrance } from '../entering/session-entrance';
import { CollectedOutput, StreamedOutput, type CommandOutput, type ExecuteWatcher } from './command-output';
import type { ExecuteExit, ExecuteResult } from './execute-answer';
import { parseExecuteCommand, type ExecuteCommand } from './execute-command';
import { afterOwnPrograms } from './own-programs';
import { runCommand } from './run-command';
import { checkPolicy } from './shell-command';

/** Runs commands in users' sessions. */
@Injectable()
export class CommandsService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    private readonly entrance: SessionEntrance,
  ) {}

  /**
   * Runs a command and answers when it has ended. The session is made if it is not there. A command
   * that fails or runs out of time is a result, not an error.
   * @param signal aborts the command and all that it has started
   * @param onOutput is told of the output that the answer will begin with, while the command runs;
   * the command does not wait for it
   * @throws SandboxError COMMAND_NOT_ALLOWED, VALIDATION_FAILED (timeout), INVALID_WORKING_DIR,
   * SHELL_NOT_AVAILABLE, SESSION_DELETED, TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE,
   * STORE_UNAVAILABLE
   */
  execute(user: User, command: ExecuteCommand, signal?: AbortSignal, onOutput?: (text: string) => void): Promise<ExecuteResult> {
    const { EXEC_MAX_OUTPUT_BYTES } = this.config;
    const collect = (sandbox: OpenSandbox): CommandOutput<ExecuteResult> =>
      new CollectedOutput(this.config, sandbox, EXEC_MAX_OUTPUT_BYTES, command.encoding, onOutput);
    return this.runCommand(user, command, EXEC_MAX_OUTPUT_BYTES, collect, signal);
  }

  /**
   * Runs a command and gives its whole output while it runs. A slow watcher makes the command wait,
   * and no other one. The timeout counts on meanwhile.
   * @throws SandboxError as execute; REQUEST_TIMEOUT if the watcher has not taken the output 5 s
   * after the timeout
   */
  stream(user: User, command: ExecuteCommand, watcher: ExecuteWatcher, signal?: AbortSignal): Promise<ExecuteExit> {
    const tell = (sandbox: OpenSandbox): CommandOutput<ExecuteExit> => new StreamedOutput(this.config, sandbox, watcher, command.encoding);
    return this.runCommand(user, command, null, tell, signal);
  }

  /** The steps of a command: parse, policy, enter, run, answer. One line of the log tells of it. */
  private runCommand<Answer extends ExecuteExit>(
    user: User,
    command: ExecuteCommand,
    maxOutput: number | null,
    outputFor: (sandbox: OpenSandbox) => CommandOutput<Answer>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const ref = sessionRef(this.config.DEPLOYMENT, user, command.session_id);
    const subject = { op: 'execute', command: command.command };
    const work = async (): Promise<Answer> => {
      const parsed = parseExecuteCommand(command, this.config, maxOutput);
      const { shell, unlisted } = checkPolicy(command, this.policy, this.config.EXEC_SHELL);
      const enter = { command: true, signal };
      const runIn = async (sandbox: OpenSandbox): Promise<Answer> => {
        const output = outputFor(sandbox);
        await output.beginOutput();
        const runnable = { ...parsed, request: { ...parsed.request, shell } };
        const end = await runCommand(sandbox, runnable, (stream, chunk) => output.takeOutput(stream, chunk), signal);
        return output.buildAnswer(end);
      };
      return this.entrance.enterSession(ref, parsed.deadlineMs, afterOwnPrograms(unlisted, signal, runIn), enter);
    };
    return audited(user, ref, subject, work, ({ exit_code, timed_out }) => ({ exit_code, timed_out }));
  }
}
