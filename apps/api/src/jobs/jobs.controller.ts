import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { JobsService, MAX_JOB_INPUT_BYTES } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { AnswerOnce } from '../idempotency/answer-once';
import { ApiIdempotencyKey, REPLAYED } from '../idempotency/idempotency.docs';
import { requireIdentityEncoding } from '../request/body-headers';
import { ClientSignal } from '../request/client-signal.decorator';
import { EVENT_STREAM } from '../request/event-stream';
import { StreamedBody } from '../request/json-body.guard';
import { BYTES } from '../request/media-types';
import { readBytes } from '../request/read-bytes';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { sendJobBytes } from './job-bytes';
import { lastOffsets, sendJobOutput } from './job-events';
import { ApiJobInput, ApiJobOutput } from './jobs.docs';
import { byteQuery } from './byte-query';
import {
  JobDto,
  JobIdDto,
  JobInputQuery,
  JobListDto,
  JobOutputQueryDto,
  JobQuery,
  SignalDto,
  StartedJobDto,
  StartJobDto,
} from './jobs.dto';
import { outputForm } from './output-form';

const SESSION = [...PROBLEMS.GUARDED, ...PROBLEMS.SANDBOX, 'BAD_REQUEST', 'TOO_MANY_COMMANDS'] as const;
const JOB = [...SESSION, 'JOB_NOT_FOUND'] as const;

@ApiTags('jobs')
@Controller('sessions/:session_id/jobs')
export class JobsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly once: AnswerOnce,
  ) {}

  @Post()
  @HttpCode(201)
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Start a job',
    description:
      'Runs a command in the background and answers when it has started. It goes on without a client, and keeps its session alive, until it ends or `timeout` (at most JOB_MAX_SECONDS) is over.',
  })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ type: StartedJobDto, description: 'It has started', headers: REPLAYED })
  @ApiProblems(
    ...SESSION,
    ...PROBLEMS.JSON_BODY,
    ...PROBLEMS.IDEMPOTENT,
    'STORAGE_FULL',
    'INVALID_WORKING_DIR',
    'SHELL_NOT_AVAILABLE',
    'COMMAND_NOT_ALLOWED',
    'TOO_MANY_JOBS',
  )
  start(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Body() command: StartJobDto,
    @Req() request: AuthenticatedRequest,
    @Res() response: Response,
  ): Promise<void> {
    return this.once.answer(request, response, (signal) => this.jobs.startJob(user, session_id, command, signal));
  }

  @Get()
  @UseGuards(NoQueryGuard)
  @ApiOperation({ summary: 'List a session’s jobs', description: 'Those that run, and those that have ended and were not deleted.' })
  @ApiOkResponse({ type: JobListDto, description: 'Its jobs' })
  @ApiProblems(...SESSION)
  async list(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto, @ClientSignal() signal: AbortSignal): Promise<JobListDto> {
    return { jobs: await this.jobs.listJobs(user, session_id, signal) };
  }

  @Get(':job_id')
  @ApiOperation({
    summary: 'Look at a job',
    description: 'With `wait_seconds`: as it is when it has ended, or when that time is over. Ask again then, if it is `running`.',
  })
  @ApiOkResponse({ type: JobDto, description: 'The job' })
  @ApiProblems(...JOB)
  get(
    @CurrentUser() user: User,
    @Param() { session_id, job_id }: JobIdDto,
    @Query() { wait_seconds = 0 }: JobQuery,
    @ClientSignal() signal: AbortSignal,
  ): Promise<JobDto> {
    return this.jobs.waitForJob(user, session_id, job_id, wait_seconds, signal);
  }

  @Get(':job_id/output')
  @ApiOperation({
    summary: 'Read a job’s output',
    description:
      'From an offset on. The last JOB_MAX_OUTPUT_BYTES of both streams together are kept; `gap` tells what is gone. With `Accept: text/event-stream`: as it is produced, from `offset` of the one `stream` named or from the beginning of both. With `Accept: application/octet-stream`: the bytes of one stream, as they are produced.',
  })
  @ApiJobOutput()
  @ApiProblems(...JOB, 'JOB_LOST', 'RANGE_NOT_SATISFIABLE', 'NOT_ACCEPTABLE')
  async output(
    @CurrentUser() user: User,
    @Param() { session_id, job_id }: JobIdDto,
    @Query() query: JobOutputQueryDto,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const form = outputForm(request);
    if (form === BYTES) {
      const range = byteQuery(query, request.method);
      await sendJobBytes(response, (watcher) => this.jobs.streamOutput(user, session_id, job_id, range, watcher, signal));
      return;
    }
    if (form !== EVENT_STREAM) {
      response.json(await this.jobs.readOutput(user, session_id, job_id, query, signal));
      return;
    }
    // If the job does not exist, the answer has its own status instead of an event.
    await this.jobs.getJob(user, session_id, job_id, signal);
    const { stream, offset = 0, encoding } = query;
    const beginning = { stdout: 0, stderr: 0, ...(stream && { [stream]: offset }) };
    const reader = { from: lastOffsets(request) ?? beginning, streams: stream ? [stream] : (['stdout', 'stderr'] as const), encoding };
    await sendJobOutput(response, (watcher) => this.jobs.followOutput(user, session_id, job_id, reader, watcher, signal));
  }

  @Post(':job_id/stdin')
  @HttpCode(204)
  @StreamedBody()
  @ApiOperation({
    summary: 'Add to a job’s input',
    description: 'All of the body or, where the answer is an error, nothing of it. The job must have been started with `open_stdin`.',
  })
  @ApiJobInput()
  @ApiNoContentResponse({ description: 'It will be read in its turn' })
  @ApiProblems(...JOB, 'REQUEST_TIMEOUT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE', 'JOB_ENDED', 'JOB_STDIN_CLOSED', 'JOB_STDIN_FULL')
  async write(
    @CurrentUser() user: User,
    @Param() { session_id, job_id }: JobIdDto,
    @Query() { eof }: JobInputQuery,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
  ): Promise<void> {
    requireIdentityEncoding(request);
    await this.jobs.writeInput(user, session_id, job_id, await readBytes(request, MAX_JOB_INPUT_BYTES), eof === 'true', signal);
  }

  @Post(':job_id/signal')
  @HttpCode(204)
  @UseGuards(NoQueryGuard)
  @ApiOperation({ summary: 'Signal a job', description: 'Its process group, as Ctrl-C in a terminal does.' })
  @ApiNoContentResponse({ description: 'Sent' })
  @ApiProblems(...JOB, ...PROBLEMS.JSON_BODY, 'JOB_ENDED')
  signal(
    @CurrentUser() user: User,
    @Param() { session_id, job_id }: JobIdDto,
    @Body() { signal: name }: SignalDto,
    @ClientSignal() signal: AbortSignal,
  ): Promise<void> {
    return this.jobs.sendSignal(user, session_id, job_id, name, signal);
  }

  @Delete(':job_id')
  @HttpCode(204)
  @UseGuards(NoQueryGuard)
  @ApiOperation({ summary: 'End and forget a job', description: 'Kills it with all it started. Its output is gone.' })
  @ApiNoContentResponse({ description: 'It is not there any more' })
  @ApiProblems(...JOB)
  delete(@CurrentUser() user: User, @Param() { session_id, job_id }: JobIdDto, @ClientSignal() signal: AbortSignal): Promise<void> {
    return this.jobs.deleteJob(user, session_id, job_id, signal);
  }
}
