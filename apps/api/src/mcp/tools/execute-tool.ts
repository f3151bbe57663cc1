import type { Config } from '@sandbox/config';
import type { OrchestratorService } from '@sandbox/orchestrator';
import { ExecuteDto, ExecuteResultDto } from '../../execute/execute.dto';
import { executeText } from './execute-text';
import { defineTool, type Tool } from './tool';

export function executeTool(orchestrator: OrchestratorService, config: Config): Tool {
  return defineTool({
    name: 'execute',
    title: 'Run a shell command',
    description: description(config),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    input: ExecuteDto,
    limits: {
      timeout: { default: config.DEFAULT_EXEC_TIMEOUT_SECONDS, maximum: config.MAX_EXEC_TIMEOUT_SECONDS },
      shell: { default: config.EXEC_SHELL },
    },
    output: ExecuteResultDto,
    call: (args, { user, signal }) => orchestrator.execute(user, args, signal),
    text: executeText,
  });
}

function description(config: Config): string {
  return [
    'Runs a shell command in the session’s sandbox, which is made on first use, and waits for it to end.',
    `Each call is a fresh \`${config.EXEC_SHELL} -c\` in /workspace: cd and export do not carry over to the next call, files do. Join steps with &&, or give working_dir and env.`,
    'There is no network and no root; /workspace and /tmp are writable, the rest is read-only, and programs in /tmp cannot be run.',
    `timeout is in seconds, ${config.DEFAULT_EXEC_TIMEOUT_SECONDS} by default and ${config.MAX_EXEC_TIMEOUT_SECONDS} at most; a command that reaches it is killed with all it started, and answers exit_code 124, timed_out and the output so far.`,
    `stdout and stderr are each cut at ${config.EXEC_MAX_OUTPUT_BYTES} bytes, keeping the beginning and the end: send long output to a file and look at parts of it.`,
    'Stdin is empty unless given, so a program that asks questions will not get an answer.',
    'A process left in the background goes on after the command ends, for as long as the session lives; its output has to go to a file.',
    `A session idle for ${config.SESSION_TTL_SECONDS} seconds is removed.`,
    ...(config.ALLOWED_COMMANDS.includes('*')
      ? []
      : ['Programs must be on an allow-list; COMMAND_NOT_ALLOWED says which word was refused and what is allowed.']),
  ].join(' ');
}
