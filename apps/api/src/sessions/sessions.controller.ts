import { Body, Controller, Delete, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { OrchestratorService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../docs/problem-responses';
import { NoQueryGuard } from '../validation/no-query.guard';
import { CreateSessionDto, DeletedSessionDto, SessionCreatedDto, SessionDto, SessionIdDto, SessionListDto } from './sessions.dto';

@ApiTags('sessions')
@UseGuards(NoQueryGuard)
@Controller('sessions')
export class SessionsController {
  constructor(private readonly orchestrator: OrchestratorService) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Make a session',
    description: 'Idempotent, and optional: every call into a session makes it where it is not there.',
  })
  @ApiOkResponse({ type: SessionCreatedDto, description: 'It is there' })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.JSON_BODY, ...PROBLEMS.SANDBOX)
  create(@CurrentUser() user: User, @Body() { session_id }: CreateSessionDto): Promise<SessionCreatedDto> {
    return this.orchestrator.createSession(user, session_id);
  }

  @Get()
  @ApiOperation({ summary: 'List your live sessions', description: 'Does not prolong them.' })
  @ApiOkResponse({ type: SessionListDto, description: 'Your live sessions' })
  @ApiProblems(...PROBLEMS.GUARDED)
  async list(@CurrentUser() user: User): Promise<SessionListDto> {
    return { sessions: await this.orchestrator.listSessions(user) };
  }

  @Get(':session_id')
  @ApiOperation({ summary: 'Look at a live session', description: 'Does not prolong it.' })
  @ApiOkResponse({ type: SessionDto, description: 'The session' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SESSION_NOT_FOUND')
  get(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto): Promise<SessionDto> {
    return this.orchestrator.getSession(user, session_id);
  }

  @Delete(':session_id')
  @ApiOperation({
    summary: 'Delete a session',
    description: 'Ends what runs in it and removes its container and files; they are gone when this answers. Idempotent.',
  })
  @ApiOkResponse({ type: DeletedSessionDto, description: 'It is not there any more' })
  @ApiProblems(...PROBLEMS.GUARDED, 'BAD_REQUEST', 'SANDBOX_UNRESPONSIVE', 'RUNTIME_UNAVAILABLE')
  delete(@CurrentUser() user: User, @Param() { session_id }: SessionIdDto): Promise<DeletedSessionDto> {
    return this.orchestrator.deleteSession(user, session_id);
  }
}
