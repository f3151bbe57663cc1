import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { SessionsService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import type { AuthenticatedRequest } from '../auth/authenticated-request';
import { CurrentUser } from '../auth/current-user.decorator';
import { AnswerOnce } from '../idempotency/answer-once';
import { ApiIdempotencyKey, REPLAYED } from '../idempotency/idempotency.docs';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { NoQueryGuard } from '../validation/no-query.guard';
import { metadataPairs } from './metadata';
import {
  CreateSessionDto,
  DeletedSessionDto,
  ListSessionsQuery,
  SessionCreatedDto,
  SessionDto,
  SessionIdDto,
  SessionListDto,
  UpdateSessionDto,
} from './sessions.dto';

@ApiTags('sessions')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly once: AnswerOnce,
  ) {}

  @Post()
  @UseGuards(NoQueryGuard)
  @HttpCode(200)
  @ApiOperation({
    summary: 'Make a session',
    description:
      'Idempotent, and optional: every call into a session makes it where it is not there. Options are for its whole life but for ' +
      '`ttl_seconds` and `metadata`; one that differs from a session that is there is a 409.',
  })
  @ApiIdempotencyKey()
  @ApiOkResponse({ type: SessionCreatedDto, description: 'It is there', headers: REPLAYED })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.JSON_BODY, ...PROBLEMS.IDEMPOTENT, ...PROBLEMS.SANDBOX, 'SESSION_OPTIONS_DIFFER')
  create(
    @CurrentUser() user: User,
    @Body() { session_id, ...options }: CreateSessionDto,
    @Req() request: AuthenticatedRequest,
    @Res() response: Response,
  ): Promise<void> {
    return this.once.answer(request, response, (signal) => this.sessions.createSession(user, session_id, options, signal));
  }

  @Get()
  @ApiOperation({ summary: 'List your live sessions', description: 'Does not prolong them.' })
  @ApiOkResponse({ type: SessionListDto, description: 'Your live sessions' })
  @ApiProblems(...PROBLEMS.GUARDED)
  async list(@CurrentUser() user: User, @Query() { metadata }: ListSessionsQuery): Promise<SessionListDto> {
    return { sessions: await this.sessions.listSessions(user, metadataPairs(metadata)) };
  }

  @Get(':session_id')
  @UseGuards(NoQueryGuard)
  @ApiOperation({ summary: 'Look at a live session', description: 'Does not prolong it.' })
  @ApiOkResponse({ type: SessionDto, description: 'The session' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SESSION_NOT_FOUND')
  get(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto): Promise<SessionDto> {
    return this.sessions.getSession(user, session_id);
  }

  @Patch(':session_id')
  @UseGuards(NoQueryGuard)
  @ApiOperation({ summary: 'Change a live session', description: 'Its `ttl_seconds`, its `metadata` or both. Counts as a use of it.' })
  @ApiOkResponse({ type: SessionDto, description: 'The session as it is now' })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.JSON_BODY, 'SESSION_NOT_FOUND')
  update(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto, @Body() settings: UpdateSessionDto): Promise<SessionDto> {
    return this.sessions.updateSession(user, session_id, settings);
  }

  @Delete(':session_id')
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Delete a session',
    description: 'Ends what runs in it and removes its container and files; they are gone when this answers. Idempotent.',
  })
  @ApiOkResponse({ type: DeletedSessionDto, description: 'It is not there any more' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SANDBOX_UNRESPONSIVE', 'RUNTIME_UNAVAILABLE')
  delete(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto): Promise<DeletedSessionDto> {
    return this.sessions.deleteSession(user, session_id);
  }
}
