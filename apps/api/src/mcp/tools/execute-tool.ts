import type { Config } from '@sandbox/config';
import type { JobsService, CommandsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { ExecuteDto } from '../../execute/execute.dto';
import { MAX_ENV_BYTES } from '../../validation/rules';
import { cutBase64, cutText } from './cut-text';
import { executeText } from './execute-text';
import { ExecuteToolArgs, ExecuteToolResultDto } from './execute-tool.dto';
import { networkText } from './network-note';
import { defineTool, type Tool } from './tool';

const SHELL = { auto: 'shell (bash if the command needs it)', sh: 'sh', bash: 'bash' };
const REST_OF_OUTPUT = 'send long output to a file and read parts of it';

export function executeTool(commands: CommandsService, jobs: JobsService, config: Config): Tool {
  return defineTool({
    name: 'execute',
    title: 'Run a shell command',
    description: description(config),
    annotations: { openWorldHint: false },
    entersSession: true,
    input: ExecuteToolArgs,
    args: {
      session_id: 'Made when it is not there',
      command: '',
      // Two limits on one field would need `if` at the root of the schema, and some clients drop
      // such a tool.
      timeout: { maximum: Math.max(config.MAX_EXEC_TIMEOUT_SECONDS, config.JOB_MAX_SECONDS) },
      working_dir: 'Relative to /workspace',
      env: `At most ${MAX_ENV_BYTES} bytes`,
      stdin: '',
      encoding: 'base64 is exact',
      shell: { default: config.EXEC_SHELL },
      background: '',
      open_stdin: 'For job_input',
    },
    output: ExecuteToolResultDto,
    callTool: ({ background = false, open_stdin = false, ...command }, { user, signal, onOutput }) =>
      background ? startJob(jobs, user, { ...command, open_stdin }, signal) : runCommand(commands, user, command, config, signal, onOutput),
    text: executeText,
  });
}

async function startJob(
  jobs: JobsService,
  user: User,
  { session_id, encoding: _encoding, ...command }: ExecuteDto & { open_stdin: boolean },
  signal: AbortSignal,
): Promise<ExecuteToolResultDto> {
  const { job_id, session_created, session_restarted } = await jobs.startJob(user, session_id, command, signal);
  return { job_id, session_created, session_restarted };
}

async function runCommand(
  commands: CommandsService,
  user: User,
  command: ExecuteDto,
  { MCP_MAX_OUTPUT_CHARS }: Config,
  signal: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<ExecuteToolResultDto> {
  const result = await commands.execute(user, command, signal, onOutput);
  const cut = command.encoding === 'base64' ? cutBase64 : cutText;
  // One stream may use the room that the other does not need.
  const room = (other: string): number => Math.max(MCP_MAX_OUTPUT_CHARS / 2, MCP_MAX_OUTPUT_CHARS - other.length);
  const stderr = cut(result.stderr, room(result.stdout), REST_OF_OUTPUT);
  const stdout = cut(result.stdout, room(result.stderr), REST_OF_OUTPUT);
  return { ...result, stdout, stderr, truncated: result.truncated || stdout !== result.stdout || stderr !== result.stderr };
}

function description(config: Config): string {
  return [
    'Runs a shell command and waits for its end.',
    `Each call is a fresh ${SHELL[config.EXEC_SHELL]} in /workspace: files stay, cd and export do not; join steps with &&.`,
    `${networkText(config)}, no root; only /workspace and /tmp are writable.`,
    `At timeout (${config.DEFAULT_EXEC_TIMEOUT_SECONDS} s by default, at most ${config.MAX_EXEC_TIMEOUT_SECONDS}) it is killed with all it started: exit_code 124, timed_out, the output so far.`,
    `Output over ${config.MCP_MAX_OUTPUT_CHARS} characters loses its middle: send long output to a file and read parts.`,
    'Stdin is empty unless given.',
    `background: true answers at once with a job_id, for servers and long builds; timeout is then ${config.JOB_MAX_SECONDS} by default and at most. job_output reads it, job_input types into it, job_stop ends it.`,
    ...(config.ALLOWED_COMMANDS.includes('*') ? [] : ['Programs not on the allow-list are refused (COMMAND_NOT_ALLOWED).']),
  ].join(' ');
}
