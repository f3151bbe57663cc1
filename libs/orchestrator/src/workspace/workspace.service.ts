import { PassThrough, type Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { User } from '@sandbox/sessions';
import { count, parseFlag } from '../channel/agent-values';
import type { AgentRequest } from '../channel/channel';
import {
  agentConditions,
  collectedFileCall,
  FILE_CALL_DEADLINE_MS,
  fileCall,
  type FileCallNews,
  notRoot,
  type Preconditions,
} from './file-call';
import { GrowingBuffer } from '../bytes/growing-buffer';
import { SessionEntrance } from '../entering/session-entrance';
import { type GivenPath, workspaceFile, type WorkspacePath } from '../paths/workspace-path';
import { HeaderThenBody } from './header-then-body';
import { type Skips, withoutSkips } from './skips';
import { etag, parseEntry, parseInSlices, splitLines, type WorkspaceEntry } from './workspace-answers';

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

/** Entries, whether there are more than the caller asked for, and what could not be read. */
export interface WorkspaceListing extends Skips {
  entries: WorkspaceEntry[];
  truncated: boolean;
}

/** The extent of a listing. */
export interface ListOptions {
  /** Levels of directories; 1 for the directory itself. */
  readonly depth?: number;
  /** The most entries; all if absent. */
  readonly limit?: number;
}

/** The longest that a write takes. */
const WRITE_DEADLINE_MS = 300_000;
/**
 * A read lasts as long as its client takes bytes, but an hour at most. It ends if the client takes
 * none for five minutes.
 */
export const DOWNLOAD_LIMITS = { deadlineMs: 3_600_000, stallMs: 300_000 } as const;
/**
 * The longest listing, in bytes of the agent's answer. It is held in memory, so a longer one is
 * refused.
 */
const MAX_LISTING_BYTES = 8 * 1024 * 1024;
/** The longest answer as text, if no limit on files applies. It is held in memory too. */
const MAX_TEXT_BYTES = 32 * 1024 * 1024;

/**
 * File calls into a session's /workspace. A session is created on first use.
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
   * Lists a directory, and the directories below it as deep as asked for. Entries are in the order
   * of their names, each directory right before its contents. A listing over 8 MiB (some 50,000
   * names) is refused with FILE_TOO_LARGE.
   */
  async list(
    user: User,
    sessionId: string,
    path: GivenPath,
    signal?: AbortSignal,
    { depth = 1, limit = 0 }: ListOptions = {},
  ): Promise<WorkspaceListing & FileCallNews> {
    const { output, end, session_created } = await collectedFileCall(
      this,
      'workspace_list',
      { user, sessionId, path },
      (file) => ({ op: 'list', ...file, depth, limit }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
      { maxBytes: MAX_LISTING_BYTES, detail: 'The directory has too many entries to be listed.' },
    );
    const lines = await parseInSlices(splitLines(output), parseEntry);
    const { rest: entries, skips } = withoutSkips(lines, end.skipped);
    return { entries, truncated: parseFlag(end.truncated), ...skips, session_created };
  }

  /**
   * Reads a file, or a part of it: as text if it is UTF-8, else in base64. The file may have any
   * size. What is read has at most WORKSPACE_MAX_FILE_SIZE_BYTES, or 32 MiB if that setting is no
   * limit.
   * @throws SandboxError FILE_TOO_LARGE, RANGE_NOT_SATISFIABLE, and those of every method
   */
  async readText(user: User, sessionId: string, path: GivenPath, signal?: AbortSignal, part?: ByteRange | LineRange): Promise<FileText> {
    const most = this.config.WORKSPACE_MAX_FILE_SIZE_BYTES || MAX_TEXT_BYTES;
    const { content, ...file } = await this.open(user, sessionId, path, part, signal, most);
    if (file.length > most) {
      content.destroy();
      throw fileTooLarge(most);
    }
    const text = new GrowingBuffer(file.length);
    for await (const chunk of content) text.append(chunk as Buffer);
    const bytes = text.take();
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
    return this.open(user, sessionId, path, part, signal, 0);
  }

  /** @param maxLength the most bytes of the part, else FILE_TOO_LARGE; 0 for no bound */
  private open(
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
        onOutput: (_stream, chunk) => header.take(chunk),
        ...DOWNLOAD_LIMITS,
        signal: abort,
      }).then(
        () => header.finish(),
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
  async write(
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
    return { ...workspaceFile(path), size: count(end.size), created: parseFlag(end.created), etag: etag(end.etag), session_created };
  }

  /**
   * Deletes a file, or a directory with all it holds. A link is deleted itself, not its target.
   * @returns `path` relative to /workspace, however it was given
   * @throws SandboxError PRECONDITION_FAILED, and then nothing has changed
   */
  async delete(
    user: User,
    sessionId: string,
    path: GivenPath,
    signal?: AbortSignal,
    conditions: Preconditions = {},
  ): Promise<WorkspacePath & FileCallNews> {
    const { session_created } = await fileCall(
      this,
      'workspace_delete',
      { user, sessionId, path },
      (file) => ({ op: 'delete', ...notRoot(file), ...agentConditions(conditions) }),
      { deadlineMs: FILE_CALL_DEADLINE_MS, signal },
    );
    return { ...workspaceFile(path), session_created };
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
