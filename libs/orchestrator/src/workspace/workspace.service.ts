import { PassThrough, type Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import { parseCount, parseFlag } from '../channel/agent-values';
import type { AgentRequest } from '../channel/channel';
import { agentConditions, fileCall, type FileCallNews, notRoot, type Preconditions } from './file-call';
import { GrowingBuffer } from '../bytes/growing-buffer';
import { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import { HeaderThenBody } from './header-then-body';
import { parseEtag } from './workspace-answers';

/** A file, and which part of it is read. */
export interface FilePart {
  /** Bytes of the whole file. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
  /** The value of the ETag header, with quotes. */
  etag: string;
  /** The first byte of the part, counted from 0. */
  offset: number;
  /** Bytes of the part. */
  length: number;
  /** Whether the part is the byte range that the caller asked for. */
  ranged: boolean;
}

/** An open file. The caller has to read its bytes to the end, or destroy the stream. */
export interface FileStream extends FilePart {
  content: Readable;
}

/** A part of a file as text. */
export interface FileText extends FilePart {
  content: string;
  encoding: 'utf8' | 'base64';
}

/**
 * The byte range that a caller wants (RFC 9110, section 14.1.2): `{start}`, `{start, end}` with
 * both included, or `{suffix}` for the last so many bytes. `ifEtag` is an entity tag as the ETag
 * header has it. If the file's own tag differs, the whole file is read (section 13.1.5).
 */
export type ByteRange = ({ start: number; end?: number } | { suffix: number }) & { ifEtag?: string };

/** Conditions and permissions for a write. */
export interface WriteOptions extends Preconditions {
  /** Permission bits. If absent, those of the file that is replaced, or 0644 for a new one. */
  readonly mode?: number;
}

/**
 * A range of lines, counted from 1, both ends included. It reaches to the end of the file if
 * `lastLine` is absent or beyond.
 */
export type LineRange = { firstLine: number; lastLine?: number };

/** The longest that a write takes. */
const WRITE_DEADLINE_MS = 300_000;
/**
 * A read lasts as long as its client takes bytes, but an hour at most. It ends if the client takes
 * none for five minutes.
 */
export const DOWNLOAD_LIMITS = { deadlineMs: 3_600_000, stallMs: 300_000 } as const;
/** The longest answer as text, if no limit on files applies. It is held in memory. */
const MAX_TEXT_BYTES = 32 * 1024 * 1024;

/**
 * Reads and writes files of a session's /workspace. A session is created on first use.
 *
 * Every method throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE, NOT_FOUND, NOT_A_DIRECTORY
 * and PERMISSION_DENIED for its path. Every method throws SESSION_DELETED, TOO_MANY_COMMANDS,
 * SANDBOX_*, RUNTIME_UNAVAILABLE and STORE_UNAVAILABLE. Reads and writes also throw
 * NOT_A_REGULAR_FILE, IS_A_DIRECTORY and FILE_TOO_LARGE; writes also STORAGE_FULL.
 */
@Injectable()
export class WorkspaceService {
  constructor(
    @Inject(CONFIG) readonly config: Config,
    readonly entrance: SessionEntrance,
  ) {}

  /**
   * Reads a file, or a part of it: as text if it is UTF-8, else in base64. The file may have any
   * size. What is read has at most WORKSPACE_MAX_FILE_SIZE_BYTES, or 32 MiB if that setting is no
   * limit.
   * @throws SandboxError FILE_TOO_LARGE, RANGE_NOT_SATISFIABLE, and those of every method
   */
  async readText(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal, part?: ByteRange | LineRange): Promise<FileText> {
    const most = this.config.WORKSPACE_MAX_FILE_SIZE_BYTES || MAX_TEXT_BYTES;
    const { content, ...file } = await this.openFile(user, sessionId, path, part, signal, most);
    if (file.length > most) {
      content.destroy();
      throw fileTooLarge(most);
    }
    const text = new GrowingBuffer(file.length);
    for await (const chunk of content) text.append(chunk as Buffer);
    const bytes = text.takeBytes();
    try {
      return { ...file, content: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), encoding: 'utf8' };
    } catch {
      return { ...file, content: bytes.toString('base64'), encoding: 'base64' };
    }
  }

  /**
   * Reads a file of any size, or a part of it, as a stream. Resolves once the file is open and its
   * size known. Until then an error rejects the promise; later errors come on the stream.
   * Destroying the stream ends the transfer.
   * @throws SandboxError RANGE_NOT_SATISFIABLE, and those of every method
   */
  openRead(user: User, sessionId: string, path: GivenPath, part?: ByteRange | LineRange, signal?: AbortSignal): Promise<FileStream> {
    return this.openFile(user, sessionId, path, part, signal, 0);
  }

  /** @param maxLength the most bytes of the part, else FILE_TOO_LARGE; 0 for no bound */
  private openFile(
    user: User,
    sessionId: string,
    path: GivenPath,
    part: ByteRange | LineRange | undefined,
    signal: AbortSignal | undefined,
    maxLength: number,
  ): Promise<FileStream> {
    const content = new PassThrough({ highWaterMark: 256 * 1024 });
    // Without this, an error before the caller has the stream would end the process. The promise
    // reports it.
    content.on('error', () => undefined);
    const gone = new AbortController();
    const abort = signal ? AbortSignal.any([signal, gone.signal]) : gone.signal;
    return new Promise<FileStream>((resolve, reject) => {
      // A reader that goes away before the end ends the transfer.
      content.once('close', () => gone.abort());
      const header = new HeaderThenBody((file) => resolve({ ...file, ranged: isRange(part, file.etag), content }), content);
      fileCall(this, 'workspace_read', { user, sessionId, path }, (file) => readRequest(file, part, maxLength), {
        onOutput: (_stream, chunk) => header.takeChunk(chunk),
        ...DOWNLOAD_LIMITS,
        signal: abort,
      }).then(
        () => header.finishBody(),
        (error: Error) => {
          reject(error);
          content.destroy(error);
        },
      );
    });
  }

  /**
   * Replaces the file atomically, and creates its parents. A stream is not held in memory. If the
   * write fails, the old file stays.
   * @returns `path` relative to /workspace, however it was given; `size` in bytes
   * @throws SandboxError PRECONDITION_FAILED, and then nothing has changed
   */
  async writeFile(
    user: User,
    sessionId: string,
    path: GivenPath,
    content: Buffer | Readable,
    signal?: AbortSignal,
    { mode, ...conditions }: WriteOptions = {},
  ): Promise<WorkspacePath & FileCallNews & { size: number; created: boolean; etag: string }> {
    const limit = this.config.WORKSPACE_MAX_FILE_SIZE_BYTES;
    const { end, session_created } = await fileCall(
      this,
      'workspace_write',
      { user, sessionId, path },
      (file) => {
        if (limit > 0 && Buffer.isBuffer(content) && content.length > limit) throw fileTooLarge(limit);
        return { op: 'write', ...notRoot(file), max_size: limit, mode, ...agentConditions(conditions) };
      },
      { input: content, deadlineMs: WRITE_DEADLINE_MS, signal },
    );
    return {
      ...workspaceFile(path),
      size: parseCount(end.size),
      created: parseFlag(end.created),
      etag: parseEtag(end.etag),
      session_created,
    };
  }
}

function readRequest(file: WorkspacePath, part: ByteRange | LineRange | undefined, maxLength: number): AgentRequest {
  const whole = { op: 'read', ...notRoot(file), offset: 0, length: null, max_length: maxLength } as const;
  if (part === undefined) return whole;
  if ('firstLine' in part) return { ...whole, lines: [part.firstLine, part.lastLine ?? null] };
  // The agent's tag has no quotes.
  const ranged = { ...whole, if_range: part.ifEtag?.slice(1, -1) };
  if ('suffix' in part) return { ...ranged, offset: -part.suffix };
  return { ...ranged, offset: part.start, length: part.end === undefined ? null : part.end - part.start + 1 };
}

/** Whether the file with this tag is read by a range of bytes. */
function isRange(part: ByteRange | LineRange | undefined, tag: string): boolean {
  if (part === undefined || 'firstLine' in part) return false;
  return part.ifEtag === undefined || part.ifEtag === tag;
}

function fileTooLarge(limit: number): SandboxError {
  return new SandboxError(ErrorCode.FILE_TOO_LARGE, `The file is larger than ${limit} bytes.`);
}
