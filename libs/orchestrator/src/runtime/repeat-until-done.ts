import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Pause between two looks at something that another caller is making or removing. It doubles from
 * the first value up to the last.
 */
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 250;

/**
 * Repeats a step until it answers something else than null, with growing pauses.
 * @throws the signal's reason once the signal aborts
 */
export async function repeatUntilDone<T>(signal: AbortSignal, step: () => Promise<T | null>): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LAST_PAUSE_MS)) {
    signal.throwIfAborted();
    const result = await step();
    if (result !== null) return result;
    await sleep(pause, undefined, { signal });
  }
}
