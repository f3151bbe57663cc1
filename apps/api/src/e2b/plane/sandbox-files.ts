import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { WorkspaceService } from '@sandbox/orchestrator';
import type { Request, Response } from 'express';
import { validationFailed } from '../../validation/validate-dto';
import { byteRange } from '../../workspace/content/byte-range';
import { sendFile } from '../../workspace/content/send-file';
import { notSupported } from '../protocol/not-supported';
import { requireUserName } from './call-headers';
import type { FilesQuery } from './filesystem.dto';
import { fileBody, storeFormFiles } from './received-files';
import type { SandboxCall } from './sandbox-call';
import { ownPath, shownPath } from './sandbox-paths';

/** A file that was written, as E2B's sandboxes tell of it. */
export interface WrittenFile {
  readonly path: string;
  readonly name: string;
  readonly type: 'file';
}

/** Files of a sandbox over plain HTTP, however its caller was let in. */
@Injectable()
export class SandboxFiles {
  constructor(private readonly workspace: WorkspaceService) {}

  /** Answers with a file, or with the range of it that the request asks for. */
  async sendFile(
    { user, sessionId }: SandboxCall,
    { path = '', username }: FilesQuery,
    gone: AbortSignal,
    request: Request,
    response: Response,
  ): Promise<void> {
    requireUserName(username);
    const file = await this.workspace.openRead(user, sessionId, ownPath(path), byteRange(request), gone);
    await sendFile(response, file);
  }

  /**
   * Writes the body to one file, or the files of a form. Each is written whole or not at all, and
   * parents are made.
   */
  async storeFiles(
    { user, sessionId }: SandboxCall,
    { path, username }: FilesQuery,
    gone: AbortSignal,
    request: Request,
  ): Promise<WrittenFile[]> {
    requireUserName(username);
    if (Object.keys(request.headers).some((name) => name.startsWith('x-metadata-'))) throw notSupported('Metadata of files');
    const store = async (target: string, content: Readable): Promise<WrittenFile> => {
      const written = await this.workspace.writeFile(user, sessionId, ownPath(target), content, gone);
      const shown = shownPath(written.path);
      return { path: shown, name: posix.basename(shown), type: 'file' };
    };
    if (!isBytes(request)) return storeFormFiles(request, path, store);
    if (path === undefined) throw validationFailed([{ field: 'path', message: 'is missing: a body without a form has no path' }]);
    return [await store(path, fileBody(request))];
  }
}

function isBytes({ headers }: Request): boolean {
  return /^application\/octet-stream\s*(;|$)/i.test(headers['content-type'] ?? '');
}
