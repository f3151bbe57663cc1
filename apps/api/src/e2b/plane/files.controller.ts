import { Controller, Get, HttpCode, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EntersSession } from '../../rate-limit/enters-session.decorator';
import { ClientSignal } from '../../request/client-signal.decorator';
import { StreamedBody } from '../../request/json-body.guard';
import { SandboxErrorsFilter } from '../protocol/rest-errors.filter';
import { FilesQuery } from './filesystem.dto';
import { CalledSandbox, type SandboxCall, SandboxPlane } from './sandbox-call';
import { SandboxFiles, type WrittenFile } from './sandbox-files';

/** Files of the sandbox that the headers name. */
@ApiExcludeController()
@Controller('e2b/sandbox/files')
@SandboxPlane()
@UseFilters(SandboxErrorsFilter)
export class SandboxFilesController {
  constructor(private readonly files: SandboxFiles) {}

  @Get()
  @EntersSession()
  read(
    @CalledSandbox() call: SandboxCall,
    @Query() query: FilesQuery,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.files.sendFile(call, query, gone, request, response);
  }

  @Post()
  @HttpCode(200)
  @StreamedBody()
  @EntersSession()
  write(
    @CalledSandbox() call: SandboxCall,
    @Query() query: FilesQuery,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<WrittenFile[]> {
    return this.files.storeFiles(call, query, gone, request);
  }
}
