import { PassThrough, type Readable } from 'node:stream';
import { once } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { sessionRef, type User } from '@sandbox/sessions';
import { audited } from './audit-log';
import type { AgentRequest, CallOptions } from './channel/channel';
import { SessionSandboxes } from './session-sandboxes';
import { parseEntry, parseFileHeader, splitLines, type WorkspaceEntry } from './workspace-answers';
import { workspacePath } from './workspace-path';

/** An open file: its bytes have to be read to the end, or the stream destroyed. */
export interface FileStream {
  /** Bytes of the whole file. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
  /** Of the bytes that follow. */
  offset: number;
  length: number;
  content: Readable;
}

/** First and last byte wanted, as in RFC 9110 section 14.1.2: `{start}`, `{start, end}`, or `{suffix}` for the last so many bytes. */
export type ByteRange = { start: number; end?: number } | { suffix: number };

/** A list or a deletion takes no longer, milliseconds. */
const CALL_DEADLINE_MS = 60_000;
/** Neither does the transfer of one file, however slow its client. */
const TRANSFER_DEADLINE_MS = 300_000;
/** A listing is held in memory: past this it is refused, bytes of the agent's answer. */
const MAX_LISTING_BYTES = 32 * 1024 * 1024;

type FileCall = { readonly user: User; readonly sessionId: string; readonly path: string };

/**
 * File calls into a session's /workspace. A session is made on first use.
 *
 * Every method throws SandboxError INVALID_PATH, PATH_OUTSIDE_WORKSPACE, NOT_FOUND, NOT_A_DIRECTORY, PERMISSION_DENIED as the path
 * has it, SESSION_DELETED, TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE and STORE_UNAVAILABLE; reads and writes besides
 * NOT_A_REGULAR_FILE, IS_A_DIRECTORY, FILE_TOO_LARGE; writes STORAGE_FULL.
 */
@Injectable()
export class WorkspaceService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly sandboxes: SessionSandboxes,
  ) {}

  /** Entries by name. A listing over 32 MiB (some 200,000 names) is refused with FILE_TOO_LARGE. */
  async list(user: User, sessionId: string, path: string, signal?: AbortSignal): Promise<WorkspaceEntry[]> {
    const answer = await this.collect('workspace_list', { user, sessionId, path }, MAX_LISTING_BYTES, signal, (agentPath) => ({
      op: 'list',
      path: agentPath,
    }));
    return splitLines(answer).map(parseEntry);
  }

  /** The whole file: text where it is UTF-8, else base64. */
  async readText(
    user: User,
    sessionId: string,
    path: string,
    signal?: AbortSignal,
  ): Promise<{ content: string; encoding: 'utf8' | 'base64' }> {
    const { content } = await this.openRead(user, sessionId, path, undefined, signal);
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    try {
      return { content: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), encoding: 'utf8' };
    } catch {
      return { content: bytes.toString('base64'), encoding: 'base64' };
    }
  }

  /**
   * Resolves once the file is open and its size known; errors until then reject, later ones come on the stream.
   * Destroying the stream ends the transfer.
   * @throws SandboxError RANGE_NOT_SATISFIABLE besides
   */
  openRead(user: User, sessionId: string, path: string, range?: ByteRange, signal?: AbortSignal): Promise<FileStream> {
    const content = new PassThrough({ highWaterMark: 256 * 1024 });
    // An error before anybody has the stream is told by the promise.
    content.on('error', () => undefined);
    const gone = new AbortController();
    const abort = signal ? AbortSignal.any([signal, gone.signal]) : gone.signal;
    return new Promise<FileStream>((resolve, reject) => {
      // A reader that goes away before the end ends the transfer.
      content.once('close', () => gone.abort());
      const header = new HeaderThenBody(resolve, content);
      this.call(
        'workspace_read',
        { user, sessionId, path },
        TRANSFER_DEADLINE_MS,
        (agentPath) => readRequest(agentPath, range, this.config.WORKSPACE_MAX_FILE_SIZE_BYTES),
        {
          onOutput: (_stream, chunk) => header.take(chunk),
          signal: abort,
        },
      ).then(
        () => header.finish(),
        (error: Error) => {
          reject(error);
          content.destroy(error);
        },
      );
    });
  }

  /**
   * Replaces the file atomically; parents are made. A stream is not held in memory; where it fails the old file stays.
   */
  async write(
    user: User,
    sessionId: string,
    path: string,
    content: Buffer | Readable,
    signal?: AbortSignal,
  ): Promise<{ size: number; created: boolean }> {
    const limit = this.config.WORKSPACE_MAX_FILE_SIZE_BYTES;
    const end = await this.call(
      'workspace_write',
      { user, sessionId, path },
      TRANSFER_DEADLINE_MS,
      (agentPath) => {
        if (limit > 0 && Buffer.isBuffer(content) && content.length > limit) throw fileTooLarge(limit);
        return { op: 'write', path: notRoot(agentPath), max_size: limit };
      },
      { input: content, signal },
    );
    return { size: Number(end.size), created: end.created === true };
  }

  /** A directory goes with all it holds, a link by itself. */
  async delete(user: User, sessionId: string, path: string, signal?: AbortSignal): Promise<void> {
    await this.call(
      'workspace_delete',
      { user, sessionId, path },
      CALL_DEADLINE_MS,
      (agentPath) => ({ op: 'delete', path: notRoot(agentPath) }),
      {
        signal,
      },
    );
  }

  private async collect(
    op: string,
    file: FileCall,
    maxBytes: number,
    signal: AbortSignal | undefined,
    request: (agentPath: string) => AgentRequest,
  ): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    await this.call(op, file, CALL_DEADLINE_MS, request, {
      onOutput: (_stream, chunk) => {
        size += chunk.length;
        if (size > maxBytes) throw new SandboxError(ErrorCode.FILE_TOO_LARGE, 'The directory has too many entries to be listed.');
        chunks.push(chunk);
      },
      signal,
    });
    return Buffer.concat(chunks);
  }

  private call(
    op: string,
    { user, sessionId, path }: FileCall,
    deadlineMs: number,
    request: (agentPath: string) => AgentRequest,
    options: Omit<CallOptions, 'deadlineMs'>,
  ): Promise<Record<string, unknown>> {
    const ref = sessionRef(this.config.DEPLOYMENT, user, sessionId);
    return audited(ref, { op, path }, async () => {
      const agentRequest = request(workspacePath(path));
      return this.sandboxes.enter(ref, deadlineMs, ({ channel }) => channel.call(agentRequest, { ...options, deadlineMs }));
    });
  }
}

/** Takes a read's answer apart: one line of JSON about the file, then its bytes, which go on as fast as they are read. */
class HeaderThenBody {
  private pending: Buffer | null = Buffer.alloc(0);
  private left = 0;

  constructor(
    private readonly opened: (file: FileStream) => void,
    private readonly content: PassThrough,
  ) {}

  async take(chunk: Buffer): Promise<void> {
    const body = this.pending === null ? chunk : this.takeHeader(Buffer.concat([this.pending, chunk]));
    if (body.length === 0) return;
    this.left -= body.length;
    if (this.left < 0) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than the file has.');
    if (!this.content.write(body)) await Promise.race([once(this.content, 'drain'), once(this.content, 'close')]);
  }

  finish(): void {
    if (this.pending === null && this.left === 0) this.content.end();
    else this.content.destroy(new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent less than the file has.'));
  }

  private takeHeader(bytes: Buffer): Buffer {
    const end = bytes.indexOf(0x0a);
    this.pending = end === -1 ? bytes : null;
    if (end === -1) return Buffer.alloc(0);
    const header = parseFileHeader(bytes.subarray(0, end));
    this.left = header.length;
    this.opened({ ...header, content: this.content });
    return bytes.subarray(end + 1);
  }
}

function readRequest(path: string, range: ByteRange | undefined, maxSize: number): AgentRequest {
  const whole = { op: 'read', path: notRoot(path), offset: 0, length: null, max_size: maxSize } as const;
  if (range === undefined) return whole;
  if ('suffix' in range) return { ...whole, offset: -range.suffix };
  return { ...whole, offset: range.start, length: range.end === undefined ? null : range.end - range.start + 1 };
}

function notRoot(path: string): string {
  if (path === '') throw new SandboxError(ErrorCode.INVALID_PATH, 'The path is the workspace itself.');
  return path;
}

function fileTooLarge(limit: number): SandboxError {
  return new SandboxError(ErrorCode.FILE_TOO_LARGE, `The file is larger than ${limit} bytes.`);
}
