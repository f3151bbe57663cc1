import type { Readable } from 'node:stream';
import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiConsumes, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CONFIG, type Config } from '@sandbox/config';
import { type Preconditions, WorkspaceEntriesService, WorkspaceService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Request, Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { EntersSession } from '../rate-limit/enters-session.decorator';
import { ClientSignal } from '../request/client-signal.decorator';
import { StreamedBody } from '../request/json-body.guard';
import { IfHeaders } from '../request/preconditions';
import { SessionIdDto } from '../sessions/sessions.dto';
import { fileContent } from './content/file-content';
import { fileMode } from './dto/file-mode';
import { givenPath } from './dto/given-path';
import { listing } from './content/listing';
import { ApiIfHeaders, ETAG_HEADER } from './preconditions.docs';
import { answerWithFile } from './content/read-file';
import { WRITE_ADVICE, withSizeAdvice } from './content/size-advice';
import { ApiFileBody, ApiFileContent, ApiUploadBody } from './workspace.docs';
import { receiveUpload, uploadName } from './content/upload';
import { ListQuery, PathQuery, ReadQuery, UploadQuery, UploadResultDto, WorkspaceListingDto, WriteQuery } from './dto/workspace.dto';

const READ = [...PROBLEMS.GUARDED, ...PROBLEMS.FILE_PATH, ...PROBLEMS.SANDBOX] as const;
const WRITE = [
  ...READ,
  'REQUEST_TIMEOUT',
  'IS_A_DIRECTORY',
  'NOT_A_REGULAR_FILE',
  'FILE_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'WORKSPACE_LOCKED',
  'STORAGE_FULL',
] as const;

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace')
export class WorkspaceController {
  constructor(
    private readonly workspace: WorkspaceService,
    private readonly entries: WorkspaceEntriesService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @EntersSession()
  @ApiOperation({ summary: 'List a directory', description: 'With `depth`, also what is in the directories below it.' })
  @ApiOkResponse({ type: WorkspaceListingDto, description: 'Its entries' })
  @ApiProblems(...READ, 'FILE_TOO_LARGE')
  async list(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() { depth, limit, ...path }: ListQuery,
    @ClientSignal() signal: AbortSignal,
  ): Promise<WorkspaceListingDto> {
    return listing(await this.entries.listEntries(user, session_id, givenPath(path), signal, { depth, limit }));
  }

  @Get('content')
  @EntersSession()
  @ApiOperation({
    summary: 'Read a file',
    description:
      'As JSON, or with `Accept: application/octet-stream` as its bytes, streamed. In either form the whole file, some of its lines, or a single range of its bytes. The file may be of any size: WORKSPACE_MAX_FILE_SIZE_BYTES bounds what a JSON answer holds of it. The entity tag is the file’s, whatever the form and the part.',
  })
  @ApiFileContent()
  @ApiIfHeaders()
  @ApiProblems(
    ...READ,
    'NOT_ACCEPTABLE',
    'IS_A_DIRECTORY',
    'NOT_A_REGULAR_FILE',
    'PRECONDITION_FAILED',
    'FILE_TOO_LARGE',
    'RANGE_NOT_SATISFIABLE',
  )
  read(
    @CurrentUser() user: User,
    @Param() { session_id: sessionId }: SessionIdDto,
    @Query() query: ReadQuery,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return answerWithFile(this.workspace, { user, sessionId, query, signal, conditions }, request, response);
  }

  @Put('content')
  @HttpCode(204)
  @EntersSession()
  @StreamedBody()
  @ApiOperation({
    summary: 'Write a file',
    description:
      'Replaces the file in one step; parent directories are made. The body is the content, or JSON `{content, encoding}` where the content type is `application/json`. An empty body makes an empty file. What is over WORKSPACE_MAX_FILE_SIZE_BYTES comes in by an archive, or in pieces (`POST /execute`).',
  })
  @ApiFileBody()
  @ApiIfHeaders()
  @ApiNoContentResponse({ description: 'Written', headers: ETAG_HEADER })
  @ApiProblems(...WRITE, 'PRECONDITION_FAILED', 'PAYLOAD_TOO_LARGE')
  async write(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() { mode, ...path }: WriteQuery,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const { etag } = await withSizeAdvice(WRITE_ADVICE, async () => {
      const content = await fileContent(request, this.config.WORKSPACE_MAX_FILE_SIZE_BYTES);
      return this.workspace.writeFile(user, session_id, givenPath(path), content, signal, { ...conditions, mode: fileMode(mode) });
    });
    response.set('ETag', etag);
  }

  @Post('upload')
  @StreamedBody()
  @ApiOperation({ summary: 'Upload a file as a form', description: 'The multipart form has one part, the file `file`.' })
  @ApiConsumes('multipart/form-data')
  @ApiUploadBody()
  @ApiIfHeaders()
  @ApiCreatedResponse({ type: UploadResultDto, description: 'Where it was stored', headers: ETAG_HEADER })
  @ApiProblems(...WRITE, 'PRECONDITION_FAILED')
  upload(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() query: UploadQuery,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UploadResultDto> {
    const store = async (fileName: string, content: Readable): Promise<UploadResultDto> => {
      const named = query.path !== undefined || query.path_base64 !== undefined;
      const target = named ? givenPath(query) : uploadName(fileName);
      const options = { ...conditions, mode: fileMode(query.mode) };
      const {
        etag,
        created: _created,
        session_created: _news,
        ...stored
      } = await this.workspace.writeFile(user, session_id, target, content, signal, options);
      response.set('ETag', etag);
      return { ...stored, session_id };
    };
    return withSizeAdvice(WRITE_ADVICE, () => receiveUpload(request, this.config.WORKSPACE_MAX_FILE_SIZE_BYTES, store));
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a file or directory', description: 'A directory goes with all it holds. Not the workspace itself.' })
  @ApiIfHeaders({ match: 'what is at the path itself' })
  @ApiNoContentResponse({ description: 'Deleted' })
  @ApiProblems(...READ, 'PRECONDITION_FAILED', 'WORKSPACE_LOCKED')
  async delete(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() path: PathQuery,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
  ): Promise<void> {
    await this.entries.deleteEntry(user, session_id, givenPath(path), signal, conditions);
  }
}
