import { Controller, Get, HttpCode, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AdmittedBy } from '../../auth/admitted-by.decorator';
import { CurrentUser } from '../../auth/current-user.decorator';
import type { User } from '@sandbox/sessions';
import { EntersSession } from '../../rate-limit/enters-session.decorator';
import { ClientSignal } from '../../request/client-signal.decorator';
import { StreamedBody } from '../../request/json-body.guard';
import { SandboxErrorsFilter } from '../protocol/rest-errors.filter';
import { SignedFilesQuery } from './filesystem.dto';
import { liveCall } from './sandbox-call';
import { SandboxFiles, type WrittenFile } from './sandbox-files';
import { SignedAdmission, signedSandbox } from './signed-admission';

/**
 * Files by a signed address. The SDKs put the path `/files` right behind the host of
 * E2B_SANDBOX_URL, so it is not below /e2b.
 */
@ApiExcludeController()
@Controller('files')
@AdmittedBy(SignedAdmission)
@UseFilters(SandboxErrorsFilter)
export class SignedFilesController {
  constructor(private readonly files: SandboxFiles) {}

  @Get()
  @EntersSession()
  read(
    @CurrentUser() user: User,
    @Query() query: SignedFilesQuery,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.files.sendFile(liveCall(user, signedSandbox(request)), query, gone, request, response);
  }

  @Post()
  @HttpCode(200)
  @StreamedBody()
  @EntersSession()
  write(
    @CurrentUser() user: User,
    @Query() query: SignedFilesQuery,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<WrittenFile[]> {
    return this.files.storeFiles(liveCall(user, signedSandbox(request)), query, gone, request);
  }
}
