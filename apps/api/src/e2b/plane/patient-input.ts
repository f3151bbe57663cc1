import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, SandboxError } from '@sandbox/errors';

/** How much input is offered to a process at a time. */
const PIECE_BYTES = 64 * 1024;
/** How soon input is offered again to a process that does not read. It doubles up to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** How long a process may read nothing, until its client is told so. */
const MAX_WAIT_MS = 60_000;

/**
 * Writes input of any length, as fast as the process reads it.
 * @throws SandboxError JOB_STDIN_FULL if the process has read nothing for a minute; what `write`
 *   throws. A part of the input may be written then.
 */
export async function writePatiently(input: Buffer, write: (piece: Buffer) => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < input.length; at += PIECE_BYTES) await writePiece(input.subarray(at, at + PIECE_BYTES), write, signal);
}

async function writePiece(piece: Buffer, write: (piece: Buffer) => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let retryMs = FIRST_RETRY_MS, waited = 0; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
    try {
      return await write(piece);
    } catch (error) {
      const isFull = error instanceof SandboxError && error.code === ErrorCode.JOB_STDIN_FULL;
      if (!isFull || waited >= MAX_WAIT_MS || signal.aborted) throw error;
    }
    await sleep(retryMs);
    waited += retryMs;
  }
}
