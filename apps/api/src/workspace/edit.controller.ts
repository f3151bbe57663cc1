import { Body, Controller, HttpCode, Param, Post, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Preconditions, WorkspaceEditService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { ClientSignal } from '../request/client-signal.decorator';
import { IfHeaders } from '../request/preconditions';
import { SessionIdDto } from '../sessions/sessions.dto';
import { NoQueryGuard } from '../validation/no-query.guard';
import { EditDto, EditResultDto } from './dto/edit.dto';
import { edited } from './content/edited';
import { givenPath } from './dto/given-path';
import { ApiIfHeaders, ETAG_HEADER } from './preconditions.docs';
import { EDIT_ADVICE, withSizeAdvice } from './content/size-advice';
import { tagged } from './content/tagged';

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace')
export class EditController {
  constructor(private readonly edits: WorkspaceEditService) {}

  @Post('edit')
  @HttpCode(200)
  @UseGuards(NoQueryGuard)
  @ApiOperation({
    summary: 'Edit a text file',
    description: 'Replaces pieces of it: all the edits or, where one does not apply, none. No other call’s change is lost to it.',
  })
  @ApiIfHeaders()
  @ApiOkResponse({ type: EditResultDto, description: 'Edited', headers: ETAG_HEADER })
  @ApiProblems(
    ...PROBLEMS.GUARDED,
    ...PROBLEMS.FILE_PATH,
    ...PROBLEMS.SANDBOX,
    ...PROBLEMS.JSON_BODY,
    'STORAGE_FULL',
    'IS_A_DIRECTORY',
    'NOT_A_REGULAR_FILE',
    'EDIT_NOT_APPLICABLE',
    'PRECONDITION_FAILED',
    'FILE_TOO_LARGE',
    'WORKSPACE_LOCKED',
  )
  async edit(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Body() { edits, ...path }: EditDto,
    @ClientSignal() signal: AbortSignal,
    @IfHeaders() conditions: Preconditions,
    @Res({ passthrough: true }) response: Response,
  ): Promise<EditResultDto> {
    const edit = () => this.edits.editFile(user, session_id, givenPath(path), edits, signal, conditions);
    return tagged(response, edited(await withSizeAdvice(EDIT_ADVICE, edit)));
  }
}
