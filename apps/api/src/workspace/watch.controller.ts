import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { WorkspaceWatchService } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { CurrentIdentity } from '../auth/current-user.decorator';
import type { Identity } from '../auth/identity';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { ProblemDto } from '../openapi/problem.dto';
import { EntersSession } from '../rate-limit/enters-session.decorator';
import { ClientSignal } from '../request/client-signal.decorator';
import { EVENT_STREAM } from '../request/event-stream';
import { SessionIdDto } from '../sessions/sessions.dto';
import { sendChanges } from './content/send-changes';
import { givenPath } from './dto/given-path';
import { ChangeEventDto, LostEventDto, WatchEndDto, WatchQuery } from './dto/watch.dto';

const EVENTS = `Server-Sent Events, each with one line of JSON. \`ready\`, when all directories are watched. \`change\` (${ChangeEventDto.name}) and \`lost\` (${LostEventDto.name}), in their order. Last \`end\` (${WatchEndDto.name}) or \`error\` (${ProblemDto.name}). No event has an id: a broken watch is not resumed.`;

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace')
export class WatchController {
  constructor(private readonly watches: WorkspaceWatchService) {}

  @Get('watch')
  @EntersSession()
  @ApiOperation({
    summary: 'Watch a directory',
    description:
      'Tells what changes in it, as it happens. Nothing from before `ready` is told: list the directory after it. Equal changes that follow each other fast may be told once. An entry of a new directory may be told by `create` alone, or, if it came and went at once, not at all. While a watch is open, its session lives. It ends when the directory is removed or moved, when the credential expires, and after 24 hours. A session has 16 watches at most.',
  })
  @ApiExtraModels(ChangeEventDto, LostEventDto, WatchEndDto)
  @ApiResponse({
    status: 200,
    description: 'The changes, until the directory is gone',
    content: {
      [EVENT_STREAM]: {
        schema: { type: 'string', description: EVENTS },
        example: 'event: ready\ndata: {}\n\nevent: change\ndata: {"type":"create","path":"main.py","is_dir":false}\n\n',
      },
    },
  })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.FILE_PATH, ...PROBLEMS.SANDBOX, 'NOT_ACCEPTABLE', 'REQUEST_TIMEOUT', 'TOO_MANY_CONNECTIONS')
  async watch(
    @CurrentIdentity() { user, expiresAt }: Identity,
    @Param() { session_id }: SessionIdDto,
    @Query() { recursive, ...path }: WatchQuery,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    // Express takes HEAD for GET. Its client would wait for an end that does not come.
    if (request.method === 'HEAD') {
      response.set('Allow', 'GET');
      throw new SandboxError(ErrorCode.METHOD_NOT_ALLOWED, 'This address takes GET, not HEAD.');
    }
    if (request.accepts(EVENT_STREAM) === false) throw new SandboxError(ErrorCode.NOT_ACCEPTABLE, `Changes come as ${EVENT_STREAM}.`);
    const options = { recursive: recursive === 'true', expiresAt };
    await sendChanges(response, (watcher) => this.watches.watchDirectory(user, session_id, givenPath(path), options, watcher, signal));
  }
}
