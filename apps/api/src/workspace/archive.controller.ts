import { Controller, Get, HttpCode, Param, Put, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { WorkspaceArchiveService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { ClientSignal } from '../request/client-signal.decorator';
import { StreamedBody } from '../request/json-body.guard';
import { SessionIdDto } from '../sessions/sessions.dto';
import { archiveBody, ARCHIVE_TYPES, GZIP, TAR } from './content/archive-body';
import { ArchiveQuery, UnpackResultDto } from './dto/archive.dto';
import { givenPath } from './dto/given-path';
import { sendArchive } from './content/send-archive';
import { DirectoryQuery } from './dto/workspace.dto';

const BYTES = { schema: { type: 'string', format: 'binary' } } as const;
const CALL = [...PROBLEMS.GUARDED, ...PROBLEMS.FILE_PATH, ...PROBLEMS.SANDBOX, 'FILE_TOO_LARGE'] as const;

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace/archive')
export class ArchiveController {
  constructor(private readonly archives: WorkspaceArchiveService) {}

  @Get()
  @ApiOperation({
    summary: 'Download a directory, or a file, as a tar archive',
    description:
      'Streamed. Holds files, directories and links, under their exact names; owners are left out. Where it breaks off, the connection does.',
  })
  @ApiOkResponse({ description: 'The archive', content: { [TAR]: BYTES, [GZIP]: BYTES } })
  @ApiProblems(...CALL, 'NOT_A_REGULAR_FILE')
  async pack(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() { gzip, ...path }: ArchiveQuery,
    @ClientSignal() signal: AbortSignal,
    @Res() response: Response,
  ): Promise<void> {
    const archive = await this.archives.packArchive(user, session_id, givenPath(path), gzip === 'true', signal);
    await sendArchive(response, archive, String(givenPath(path)), gzip === 'true');
  }

  @Put()
  @HttpCode(200)
  @StreamedBody()
  @ApiOperation({
    summary: 'Unpack a tar archive into a directory',
    description:
      'A tar, plain or in gzip, is unpacked as it arrives, and put in place once it was seen whole: files are replaced, directories joined. An archive that is refused, breaks off or does not fit leaves nothing behind. Refused are absolute names, `..`, links that lead out of the archive, devices, FIFOs and sparse files; owners and setuid bits are ignored. The directory and its parents are made.',
  })
  @ApiConsumes(...ARCHIVE_TYPES)
  @ApiBody(BYTES)
  @ApiOkResponse({ type: UnpackResultDto, description: 'What was unpacked' })
  @ApiProblems(
    ...CALL,
    'ARCHIVE_REFUSED',
    'REQUEST_TIMEOUT',
    'IS_A_DIRECTORY',
    'UNSUPPORTED_MEDIA_TYPE',
    'STORAGE_FULL',
    'WORKSPACE_LOCKED',
  )
  unpack(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() path: DirectoryQuery,
    @ClientSignal() signal: AbortSignal,
    @Req() request: Request,
  ): Promise<UnpackResultDto> {
    return this.archives.unpackArchive(user, session_id, givenPath(path), archiveBody(request), signal);
  }
}
