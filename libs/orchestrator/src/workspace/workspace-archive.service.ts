import { PassThrough, type Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { User } from '@sandbox/sessions';
import type { AgentRequest, CallOptions } from '../channel/channel';
import { drained } from '../bytes/drained';
import { type FileCall, fileCall } from './file-call';
import { SessionEntrance } from '../entering/session-entrance';
import { gzipped } from './gzipped';
import { TarWriter } from '../bytes/tar-writer';
import { DOWNLOAD_LIMITS } from './workspace.service';
import type { GivenPath, WorkspacePath } from '../paths/workspace-path';
import { parseUnpackResult, type UnpackResult } from './workspace-answers';

/** The longest that unpacking takes, however slow the client sends the archive. */
const UNPACK_DEADLINE_MS = 300_000;

/**
 * Packs and unpacks directories of a session's /workspace as tar archives. No archive is held in
 * memory.
 *
 * Both methods throw what WorkspaceService's methods throw, and FILE_TOO_LARGE past
 * ARCHIVE_MAX_BYTES or ARCHIVE_MAX_ENTRIES.
 */
@Injectable()
export class WorkspaceArchiveService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Packs a directory or a file. Resolves with the archive once its first bytes are there. Until
   * then an error rejects the promise; later errors come on the stream. Destroying the stream ends
   * the call.
   */
  packArchive(user: User, sessionId: string, path: GivenPath, gzip: boolean, signal?: AbortSignal): Promise<Readable> {
    const archive = gzip ? createGzip() : new PassThrough({ highWaterMark: 256 * 1024 });
    // Without this, an error before the caller has the stream would end the process. The promise
    // reports it.
    archive.on('error', () => undefined);
    const gone = new AbortController();
    archive.once('close', () => gone.abort());
    const writer = new TarWriter({ maxSize: this.config.ARCHIVE_MAX_BYTES, maxEntries: this.config.ARCHIVE_MAX_ENTRIES });
    return new Promise((resolve, reject) => {
      const take = async (chunk: Buffer): Promise<void> => {
        const bytes = writer.push(chunk);
        resolve(archive);
        if (!archive.write(bytes)) await drained(archive);
      };
      const options = {
        onOutput: (_stream: 'stdout' | 'stderr', chunk: Buffer) => take(chunk),
        signal: signal ? AbortSignal.any([signal, gone.signal]) : gone.signal,
      };
      this.call('workspace_pack', { user, sessionId, path }, { op: 'pack', ...this.limits() }, options)
        .then(() => {
          archive.end(writer.finishArchive());
          resolve(archive);
        })
        .catch((error: Error) => {
          reject(error);
          archive.destroy(error);
        });
    });
  }

  /**
   * Unpacks a tar, or a tar in gzip, into a directory, which is created if missing. If anything is
   * wrong with the archive, or it breaks off, nothing is unpacked.
   * @throws SandboxError ARCHIVE_REFUSED, STORAGE_FULL, IS_A_DIRECTORY, and those of every method
   */
  async unpackArchive(user: User, sessionId: string, path: GivenPath, archive: Readable, signal?: AbortSignal): Promise<UnpackResult> {
    const request = { op: 'unpack', ...this.limits() } as const;
    const input = gzipped(archive);
    try {
      return parseUnpackResult(await this.call('workspace_unpack', { user, sessionId, path }, request, { input, signal }));
    } finally {
      // More of a refused archive may still be on its way.
      input.destroy();
    }
  }

  private limits(): { max_size: number; max_entries: number } {
    return { max_size: this.config.ARCHIVE_MAX_BYTES, max_entries: this.config.ARCHIVE_MAX_ENTRIES };
  }

  private async call(
    op: string,
    file: FileCall,
    request: WithoutPath<Extract<AgentRequest, { op: 'pack' | 'unpack' }>>,
    options: Omit<CallOptions, 'deadlineMs' | 'stallMs'>,
  ): Promise<Record<string, unknown>> {
    const { end } = await fileCall(this, op, file, (directory) => ({ ...request, ...directory }), {
      ...options,
      ...(request.op === 'pack' ? DOWNLOAD_LIMITS : { deadlineMs: UNPACK_DEADLINE_MS }),
    });
    return end;
  }
}

type WithoutPath<Request> = Request extends unknown ? Omit<Request, keyof WorkspacePath> : never;
