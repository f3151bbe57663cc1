import type { Config } from '@sandbox/config';
import type { JobsService, OrchestratorService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { ExecuteDto } from '../../execute/execute.dto';
import { cutText } from './cut-text';
import { executeText } from './execute-text';
import { ExecuteToolArgs, ExecuteToolResultDto } from './execute-tool.dto';
import { defineTool, type Tool } from './tool';

const REST_OF_OUTPUT = 'send long output to a file and read parts of it';

export function executeTool(orchestrator: OrchestratorService, jobs: JobsService, config: Config): Tool {
  return defineTool({
    name: 'execute',
    title: 'Run a shell command',
    description: description(config),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    input: ExecuteToolArgs,
    limits: {
      timeout: { default: config.DEFAULT_EXEC_TIMEOUT_SECONDS, maximum: Math.max(config.MAX_EXEC_TIMEOUT_SECONDS, config.JOB_MAX_SECONDS) },
      shell: { default: config.EXEC_SHELL },
    },
    output: ExecuteToolResultDto,
    call: ({ background = false, open_stdin = false, ...command }, { user, signal, onOutput }) =>
      background ? startJob(jobs, user, { ...command, open_stdin }, signal) : run(orchestrator, user, command, config, signal, onOutput),
    text: executeText,
  });
}

async function startJob(
  jobs: JobsService,
  user: User,
  { session_id, encoding: _encoding, ...command }: ExecuteDto & { open_stdin: boolean },
  signal: AbortSignal,
): Promise<ExecuteToolResultDto> {
  const { job_id, session_restarted } = await jobs.start(user, session_id, command, signal);
  return { job_id, session_restarted };
}

async function run(
  orchestrator: OrchestratorService,
  user: User,
  command: ExecuteDto,
  { MCP_MAX_OUTPUT_CHARS }: Config,
  signal: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<ExecuteToolResultDto> {
  const result = await orchestrator.execute(user, command, signal, onOutput);
  // Base64 that is cut could not be read at all.
  if (command.encoding === 'base64') return result;
  // What one stream does not need is the other's.
  const stderrRoom = Math.max(MCP_MAX_OUTPUT_CHARS / 2, MCP_MAX_OUTPUT_CHARS - result.stdout.length);
  const stderr = cutText(result.stderr, stderrRoom, REST_OF_OUTPUT);
  const stdout = cutText(result.stdout, Math.max(MCP_MAX_OUTPUT_CHARS / 2, MCP_MAX_OUTPUT_CHARS - result.stderr.length), REST_OF_OUTPUT);
  return { ...result, stdout, stderr, truncated: result.truncated || stdout !== result.stdout || stderr !== result.stderr };
}

function description(config: Config): string {
  return [
    'Runs a shell command in the session’s sandbox, which is made on first use, and waits for it to end.',
    `Each call is a fresh \`${config.EXEC_SHELL} -c\` in /workspace: cd and export do not carry over to the next call, files do. Join steps with &&, or give working_dir and env.`,
    'There is no network and no root; /workspace and /tmp are writable, the rest is read-only.',
    `timeout is in seconds, ${config.DEFAULT_EXEC_TIMEOUT_SECONDS} by default and ${config.MAX_EXEC_TIMEOUT_SECONDS} at most; a command that reaches it is killed with all it started, and answers exit_code 124, timed_out and the output so far.`,
    `Output is cut at ${config.MCP_MAX_OUTPUT_CHARS} characters, keeping the beginning and the end: send long output to a file and look at parts of it.`,
    'Stdin is empty unless given, so a program that asks questions will not get an answer.',
    `With background: true it answers at once with a job_id, and the command goes on for up to timeout seconds, ${config.JOB_MAX_SECONDS} by default and at most: for servers, watchers and long builds. job_output reads what it prints, job_input answers what it asks (give open_stdin), job_stop ends it.`,
    `A session idle for ${config.SESSION_TTL_SECONDS} seconds is removed.`,
    ...(config.ALLOWED_COMMANDS.includes('*')
      ? []
      : ['Programs must be on an allow-list; COMMAND_NOT_ALLOWED says which word was refused and what is allowed.']),
  ].join(' ');
}
