import type { Config } from '@sandbox/config';
import type { JobsService } from '@sandbox/orchestrator';
import { defineTool, type Tool } from './tool';
import { oomNotes } from './oom-note';
import { JobInputArgs, JobOutputArgs, JobOutputResultDto, JobStateDto, JobStopArgs } from './job-tools.dto';

export function jobTools(jobs: JobsService, config: Config): Tool[] {
  return [outputTool(jobs, config), inputTool(jobs), stopTool(jobs)];
}

function outputTool(jobs: JobsService, { MCP_MAX_OUTPUT_CHARS, JOB_MAX_OUTPUT_BYTES }: Config): Tool {
  return defineTool({
    name: 'job_output',
    title: 'Read a job’s output',
    description:
      `Reads what a command started with background: true has written, from offset on, at most ${MCP_MAX_OUTPUT_CHARS} bytes: go on at next_offset. ` +
      'With wait_seconds it waits so long for news past the offset, or for the end. Also tells the job’s state and, once it has ended, its exit_code. ' +
      `The last ${JOB_MAX_OUTPUT_BYTES} bytes are kept; gap counts what is gone before data.`,
    annotations: { readOnlyHint: true, openWorldHint: false },
    input: JobOutputArgs,
    output: JobOutputResultDto,
    call: async ({ session_id, job_id, ...query }, { user, signal }) => {
      const output = await jobs.output(user, session_id, job_id, { ...query, limit: MCP_MAX_OUTPUT_CHARS }, signal);
      const { state, exit_code, oom_killed, memory_limit } = await jobs.get(user, session_id, job_id, signal);
      return { ...output, state, exit_code, oom_killed, ...(memory_limit === undefined ? {} : { memory_limit }) };
    },
    text: ({ data, next_offset, eof, gap, state, exit_code, ...memory }) =>
      [
        `${state}${exit_code === null ? '' : `, exit code ${exit_code}`}; next_offset ${next_offset}${eof ? ', nothing follows' : ''}`,
        ...oomNotes(memory),
        ...(gap > 0 ? [`note: ${gap} bytes before this are gone`] : []),
        ...(data === '' ? [] : ['---', data]),
      ].join('\n'),
  });
}

function inputTool(jobs: JobsService): Tool {
  return defineTool({
    name: 'job_input',
    title: 'Answer a job',
    description:
      'Adds text to the input of a job that was started with open_stdin: true; end a line with \\n. eof: true ends the input after it.',
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    input: JobInputArgs,
    output: JobStateDto,
    call: async ({ session_id, job_id, data, eof = false }, { user, signal }) => {
      await jobs.write(user, session_id, job_id, Buffer.from(data), eof, signal);
      const { state, exit_code } = await jobs.get(user, session_id, job_id, signal);
      return { state, exit_code };
    },
  });
}

function stopTool(jobs: JobsService): Tool {
  return defineTool({
    name: 'job_stop',
    title: 'Stop a job',
    description: 'Kills a job with all it started, and forgets it: read what you need of its output first.',
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    input: JobStopArgs,
    output: JobStateDto,
    call: async ({ session_id, job_id }, { user, signal }) => {
      const { state, exit_code } = await jobs.get(user, session_id, job_id, signal);
      await jobs.delete(user, session_id, job_id, signal);
      return { state: state === 'running' ? 'killed' : state, exit_code };
    },
  });
}
