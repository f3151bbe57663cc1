import { brokenOff, ConnectionError, SandboxError } from './errors.ts';
import { sleep } from './retrying.ts';

/** How often one answer may break off in a row before anything comes. */
const RECONNECTS = 5;
const PAUSE_MS = 500;

/** Counts the connections that broke in a row, for a call that goes on with another one. */
export class Reconnects {
  private failures = 0;

  constructor(private readonly signal?: AbortSignal) {}

  /** Something came, so the next failure is the first one. */
  hasWorked(): void {
    this.failures = 0;
  }

  /**
   * Waits before the next attempt.
   * @throws the given error if it is no broken connection, or if there were too many
   */
  async pauseAfter(error: unknown): Promise<void> {
    if (!(error instanceof ConnectionError) || ++this.failures > RECONNECTS) throw error;
    await sleep(PAUSE_MS * this.failures, this.signal);
  }
}

/**
 * Bytes of which more may come than one connection carries. If that breaks, they go on with another
 * one, after the last byte that came.
 * @param reopen asks for the bytes from there on
 */
export function resumedBytes(
  first: ReadableStream<Uint8Array>,
  reopen: (received: number) => Promise<ReadableStream<Uint8Array>>,
  signal?: AbortSignal,
): ReadableStream<Uint8Array> {
  const reconnects = new Reconnects(signal);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined = first.getReader();
  let received = 0;
  const read = async (): Promise<Uint8Array | undefined> => {
    reader ??= (await reopen(received)).getReader();
    return (await reader.read()).value;
  };
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    for (;;) {
      try {
        const bytes = await read();
        if (bytes === undefined) return controller.close();
        received += bytes.length;
        reconnects.hasWorked();
        return controller.enqueue(bytes);
      } catch (error) {
        reader = undefined;
        await reconnects.pauseAfter(error instanceof SandboxError ? error : brokenOff(error, signal));
      }
    }
  };
  return new ReadableStream({ pull, cancel: (reason) => reader?.cancel(reason) }, { highWaterMark: 0 });
}
