import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { User } from '@sandbox/sessions';

export interface WorkspaceEntry {
  name: string;
  type: 'file' | 'dir' | 'symlink' | 'other';
  /** Bytes. */
  size: number;
  /** ISO 8601, UTC. */
  modified: string;
}

/** An open file: its bytes have to be read to the end, or destroyed. */
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

/** File calls into a session's /workspace. A session is made on first use. Every method throws SandboxError. */
@Injectable()
export class WorkspaceService {
  list(user: User, sessionId: string, path: string, signal?: AbortSignal): Promise<WorkspaceEntry[]> {
    throw new Error(`not built yet ${user.id} ${sessionId} ${path} ${signal?.aborted}`);
  }

  /** The whole file: text where it is UTF-8, else base64. */
  readText(user: User, sessionId: string, path: string, signal?: AbortSignal): Promise<{ content: string; encoding: 'utf8' | 'base64' }> {
    throw new Error(`not built yet ${user.id} ${sessionId} ${path} ${signal?.aborted}`);
  }

  /** Resolves once the file is open and its size known; errors until then reject, later ones come on the stream. */
  openRead(user: User, sessionId: string, path: string, range?: ByteRange, signal?: AbortSignal): Promise<FileStream> {
    throw new Error(`not built yet ${user.id} ${sessionId} ${path} ${range} ${signal?.aborted}`);
  }

  /** Replaces the file atomically; parents are made. Content may be a stream: it is not held in memory, and an error of it leaves the old file. */
  write(user: User, sessionId: string, path: string, content: Buffer | Readable, signal?: AbortSignal): Promise<{ size: number; created: boolean }> {
    throw new Error(`not built yet ${user.id} ${sessionId} ${path} ${content} ${signal?.aborted}`);
  }

  delete(user: User, sessionId: string, path: string, signal?: AbortSignal): Promise<void> {
    throw new Error(`not built yet ${user.id} ${sessionId} ${path} ${signal?.aborted}`);
  }
}
