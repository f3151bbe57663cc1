import { Body, Controller, HttpCode, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { WorkspaceEntriesService, workspaceFile, WorkspaceWatchService } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { CurrentIdentity } from '../../auth/current-user.decorator';
import type { Identity } from '../../auth/identity';
import { EntersSession } from '../../rate-limit/enters-session.decorator';
import { ClientSignal } from '../../request/client-signal.decorator';
import { StreamedBody } from '../../request/json-body.guard';
import { NoQueryGuard } from '../../validation/no-query.guard';
import { ConnectErrorsFilter } from '../protocol/connect-errors.filter';
import { readEnvelope } from '../protocol/envelopes';
import { requireOwnUser, timeoutOf } from './call-headers';
import { sendDirectoryEvents } from './directory-events';
import { type EntryInfo, listedInfo, statInfo } from './entry-info';
import { ListDirMessage, MoveMessage, PathMessage, WatchDirMessage } from './filesystem.dto';
import { CalledSandbox, type SandboxCall, SandboxPlane } from './sandbox-call';
import { ownPath } from './sandbox-paths';

/** The RPC service `filesystem.Filesystem`, in the Connect protocol with JSON. */
@ApiExcludeController()
@Controller('e2b/sandbox/filesystem.Filesystem')
@SandboxPlane()
@UseGuards(NoQueryGuard)
@UseFilters(ConnectErrorsFilter)
export class FilesystemController {
  constructor(
    private readonly entries: WorkspaceEntriesService,
    private readonly watches: WorkspaceWatchService,
  ) {}

  @Post('Stat')
  @HttpCode(200)
  @EntersSession()
  async stat(
    @CalledSandbox() call: SandboxCall,
    @Body() { path }: PathMessage,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<{ entry: EntryInfo }> {
    requireOwnUser(request);
    return { entry: await this.infoOf(call, ownPath(path ?? ''), gone) };
  }

  /** Fails if the directory is there, as E2B's does. */
  @Post('MakeDir')
  @HttpCode(200)
  @EntersSession()
  async makeDir(
    @CalledSandbox() call: SandboxCall,
    @Body() { path }: PathMessage,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<{ entry: EntryInfo }> {
    requireOwnUser(request);
    const directory = ownPath(path ?? '');
    const { created } = await this.entries.makeDirectory(call.user, call.sessionId, directory, gone);
    if (!created) throw new SandboxError(ErrorCode.ALREADY_EXISTS, 'The directory is there already.');
    return { entry: await this.infoOf(call, directory, gone) };
  }

  /** Replaces a file, or an empty directory, that is at the destination. */
  @Post('Move')
  @HttpCode(200)
  @EntersSession()
  async move(
    @CalledSandbox() call: SandboxCall,
    @Body() { source, destination }: MoveMessage,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<{ entry: EntryInfo }> {
    requireOwnUser(request);
    const paths = { from: ownPath(source), to: ownPath(destination), overwrite: true };
    await this.entries.moveEntry(call.user, call.sessionId, paths, gone);
    return { entry: await this.infoOf(call, paths.to, gone) };
  }

  @Post('ListDir')
  @HttpCode(200)
  @EntersSession()
  async listDir(
    @CalledSandbox() call: SandboxCall,
    @Body() { path, depth = 0 }: ListDirMessage,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<{ entries: EntryInfo[] }> {
    requireOwnUser(request);
    const directory = ownPath(path ?? '');
    const options = { depth: Math.max(1, depth) };
    const { entries } = await this.entries.listEntries(call.user, call.sessionId, directory, gone, options);
    const { path: at } = workspaceFile(directory);
    return { entries: entries.map((entry) => listedInfo(at, entry)) };
  }

  /** Does nothing if there is nothing, as E2B's. */
  @Post('Remove')
  @HttpCode(200)
  @EntersSession()
  async remove(
    @CalledSandbox() call: SandboxCall,
    @Body() { path }: PathMessage,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
  ): Promise<object> {
    requireOwnUser(request);
    try {
      await this.entries.deleteEntry(call.user, call.sessionId, ownPath(path ?? ''), gone);
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code !== ErrorCode.NOT_FOUND) throw error;
    }
    return {};
  }

  @Post('WatchDir')
  @StreamedBody()
  @EntersSession()
  async watchDir(
    @CalledSandbox() { user, sessionId }: SandboxCall,
    @CurrentIdentity() { expiresAt }: Identity,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    requireOwnUser(request);
    const timeoutMs = timeoutOf(request);
    const { path = '', recursive, includeEntry } = await readEnvelope(request, WatchDirMessage);
    const options = { recursive, describe: includeEntry, expiresAt };
    await sendDirectoryEvents(
      response,
      (watcher, signal) => this.watches.watchDirectory(user, sessionId, ownPath(path), options, watcher, signal),
      timeoutMs,
      gone,
    );
  }

  private async infoOf({ user, sessionId }: SandboxCall, path: string, gone: AbortSignal): Promise<EntryInfo> {
    return statInfo(await this.entries.statEntry(user, sessionId, path, gone));
  }
}
