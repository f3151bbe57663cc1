import type { Config } from '@sandbox/config';
import type { JobsService } from '@sandbox/orchestrator';
import { defineTool, type Tool } from './tool';
import { limitNotes } from './limit-notes';
import { networkNotes } from './network-note';
import { JobInputArgs, JobOutputArgs, JobOutputResultDto, JobStateDto, JobStopArgs } from './job-tools.dto';

export function jobTools(jobs: JobsService, config: Config): Tool[] {
  return [outputTool(jobs, config), inputTool(jobs), stopTool(jobs)];
}

function outputTool(jobs: JobsService, { MCP_MAX_OUTPUT_CHARS, JOB_MAX_OUTPUT_BYTES }: Config): Tool {
  return defineTool({
    name: 'job_output',
    title: 'Read a job’s output',
    description:
      `Reads a background command’s output from offset on, at most ${MCP_MAX_OUTPUT_CHARS} bytes; go on at next_offset. ` +
      'Waits up to wait_seconds for more, or the end. Tells state (running, exited, killed, timed_out, lost) and, at the end, exit_code. ' +
      `The last ${JOB_MAX_OUTPUT_BYTES} bytes are kept; gap counts those lost.`,
    annotations: { readOnlyHint: true },
    input: JobOutputArgs,
    args: { session_id: null, job_id: '', stream: '', offset: '', wait_seconds: '' },
    output: JobOutputResultDto,
    callTool: async ({ session_id, job_id, ...query }, { user, signal }) => {
      const output = await jobs.readOutput(user, session_id, job_id, { ...query, limit: MCP_MAX_OUTPUT_CHARS }, signal);
      const { state, exit_code, oom_killed, memory_limit, disk_limit, network_denied } = await jobs.getJob(
        user,
        session_id,
        job_id,
        signal,
      );
      const news = { ...(memory_limit && { memory_limit }), ...(disk_limit && { disk_limit }), ...(network_denied && { network_denied }) };
      return { ...output, state, exit_code, oom_killed, ...news };
    },
    text: ({ data, next_offset, eof, gap, state, exit_code, ...news }) =>
      [
        `${state}${exit_code === null ? '' : `, exit code ${exit_code}`}; next_offset ${next_offset}${eof ? ', nothing follows' : ''}`,
        ...limitNotes(news),
        ...networkNotes(news),
        ...(gap > 0 ? [`note: ${gap} bytes before this are gone`] : []),
        ...(data === '' ? [] : ['---', data]),
      ].join('\n'),
  });
}

function inputTool(jobs: JobsService): Tool {
  return defineTool({
    name: 'job_input',
    title: 'Answer a job',
    description: 'Types into a job started with open_stdin: true; end a line with \\n. eof: true then closes its stdin.',
    annotations: { destructiveHint: false, openWorldHint: false },
    input: JobInputArgs,
    args: { session_id: null, job_id: null, data: '', eof: '' },
    output: JobStateDto,
    callTool: async ({ session_id, job_id, data, eof = false }, { user, signal }) => {
      await jobs.writeInput(user, session_id, job_id, Buffer.from(data), eof, signal);
      const { state, exit_code } = await jobs.getJob(user, session_id, job_id, signal);
      return { state, exit_code };
    },
  });
}

function stopTool(jobs: JobsService): Tool {
  return defineTool({
    name: 'job_stop',
    title: 'Stop a job',
    description: 'Kills a job with all it started and forgets it: read its output first.',
    annotations: { openWorldHint: false },
    input: JobStopArgs,
    args: { session_id: null, job_id: null },
    output: JobStateDto,
    callTool: async ({ session_id, job_id }, { user, signal }) => {
      const { state, exit_code } = await jobs.getJob(user, session_id, job_id, signal);
      await jobs.deleteJob(user, session_id, job_id, signal);
      return { state: state === 'running' ? 'killed' : state, exit_code };
    },
  });
}
