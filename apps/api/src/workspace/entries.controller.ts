import { Body, Controller, Get, HttpCode, Param, Post, Query, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Preconditions, WorkspaceEntriesService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { ClientSignal } from '../request/client-signal.decorator';
import { IfHeaders } from '../request/preconditions';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { ApiIfHeaders, ETAG_HEADER } from './preconditions.docs';
import { tagged } from './content/tagged';
import { DirectoryMadeDto, MakeDirectoryDto, MoveDto, MovedDto, WorkspaceStatDto } from './dto/entries.dto';
import { givenPath } from './dto/given-path';
import { DirectoryQuery } from './dto/workspace.dto';

const LOOK = [...PROBLEMS.GUARDED, ...PROBLEMS.FILE_PATH, ...PROBLEMS.SANDBOX] as const;
const CHANGE = [...LOOK, ...PROBLEMS.JSON_BODY, 'STORAGE_FULL'] as const;

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace')
export class EntriesController {
  constructor(private readonly entries: WorkspaceEntriesService) {}

  @Get('stat')
  @ApiOperation({ summary: 'Look at a file or directory', description: 'At the path itself: a link is not followed.' })
  @ApiOkResponse({ type: WorkspaceStatDto, description: 'What is there', headers: ETAG_HEADER })
  @ApiProblems(...LOOK)
  async stat(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() path: DirectoryQuery,
    @ClientSignal() signal: AbortSignal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<WorkspaceStatDto> {
    return tagged(response, await this.entries.statEntry(user, session_id, givenPath(path), signal));
  }

  @Post('move')
  @HttpCode(200)
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Move a file or directory',
    description: 'In one step. A link is moved itself, and replaced itself. Not the workspace itself, and no directory into itself.',
  })
  @ApiIfHeaders({ match: 'what is at `from`', noneMatch: 'what is at `to`' })
  @ApiOkResponse({ type: MovedDto, description: 'Moved', headers: ETAG_HEADER })
  @ApiProblems(...CHANGE, 'IS_A_DIRECTORY', 'ALREADY_EXISTS', 'PRECONDITION_FAILED', 'WORKSPACE_LOCKED')
  async move(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Body() { from, from_base64, to, to_base64, overwrite }: MoveDto,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MovedDto> {
    const move = {
      from: givenPath({ path: from, path_base64: from_base64 }),
      to: givenPath({ path: to, path_base64: to_base64 }),
      overwrite,
    };
    return tagged(response, await this.entries.moveEntry(user, session_id, move, signal, conditions));
  }

  @Post('mkdir')
  @HttpCode(200)
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Make a directory',
    description: 'And the directories above it. Idempotent: one that is there is left as it is.',
  })
  @ApiOkResponse({ type: DirectoryMadeDto, description: 'It is there' })
  @ApiProblems(...CHANGE, 'ALREADY_EXISTS')
  makeDirectory(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Body() path: MakeDirectoryDto,
    @ClientSignal() signal: AbortSignal,
  ): Promise<DirectoryMadeDto> {
    return this.entries.makeDirectory(user, session_id, givenPath(path), signal);
  }
}
