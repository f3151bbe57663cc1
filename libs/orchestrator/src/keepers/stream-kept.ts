import { ErrorCode, SandboxError } from '@sandbox/errors';
import { LineThenBytes } from '../channel/line-then-bytes';
import { findJsonObject } from '../channel/agent-answer';
import { parseCount, parseFlag, unsound } from '../channel/agent-values';
import type { CallOptions } from '../channel/channel';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { JobStream } from './job-answers';
import { knownId } from './keeper-calls';

/**
 * One answer with a job's bytes ends at the latest when it has lasted FOLLOW_MS and what was there
 * then is sent. A client that reads slowly gets an hour for that. It may take nothing for five
 * minutes, which is longer than FOLLOW_MS, because a job may be silent.
 */
export const STREAM_LIMITS = { deadlineMs: 3_600_000, stallMs: 300_000 } as const;
export const FOLLOW_MS = 60_000;

/** A part of one stream of a job. */
export interface StreamRange {
  readonly stream: JobStream;
  /** The first byte; null for the oldest that is kept. */
  readonly offset: number | null;
  /** The most bytes; null for no bound. */
  readonly limit: number | null;
}

/** Takes one stream of a job's output, as the bytes that the job has written. */
export interface JobByteWatcher {
  /**
   * Learns where the bytes begin, once, before they come.
   * @param offset of the first byte, in bytes from the beginning of the stream
   */
  begin(offset: number): void;
  /** Takes the next bytes. While a returned promise is pending, nothing more is read. */
  bytes(chunk: Buffer): void | Promise<void>;
}

/**
 * Asks a keeper for the bytes of one stream, as they come, for `followMs`. Nothing of it is held.
 * @returns where the next answer goes on, the number of bytes, and whether no more will follow
 * @throws SandboxError JOB_NOT_FOUND; RANGE_NOT_SATISFIABLE if there is no byte at the offset any
 *   more, or not yet, or if bytes were dropped before the client has taken those before them
 */
export async function streamKept(
  sandbox: OpenSandbox,
  jobId: string,
  { stream, offset, limit }: StreamRange,
  followMs: number,
  watcher: JobByteWatcher,
  signal: AbortSignal,
): Promise<{ nextOffset: number; size: number; eof: boolean }> {
  let first = 0;
  let size = 0;
  const answer = new LineThenBytes((line) => {
    first = parseCount(findJsonObject(line)?.offset);
    if (offset !== null && first !== offset) throw unsound();
    watcher.begin(first);
  });
  const onOutput: CallOptions['onOutput'] = (source, chunk) => {
    if (source !== 'stdout') throw unsound();
    const bytes = answer.takeChunk(chunk);
    if (bytes.length === 0) return;
    size += bytes.length;
    if (limit !== null && size > limit) throw new SandboxError(ErrorCode.SANDBOX_LOST, 'The sandbox sent more than was asked for.');
    return watcher.bytes(bytes);
  };
  const request = { op: 'job_stream', job_id: knownId(jobId), stream, offset, limit, follow_ms: followMs } as const;
  const end = await sandbox.channel.sendRequest(request, { onOutput, signal, ...STREAM_LIMITS });
  const nextOffset = parseCount(end.next_offset);
  if (!answer.hasLine || nextOffset !== first + size) throw unsound();
  return { nextOffset, size, eof: parseFlag(end.eof) };
}
