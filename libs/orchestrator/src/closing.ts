import type { SessionStore } from '@sandbox/sessions';
import type { SandboxRuntime } from './sandbox-runtime';

/** How long a session stays closed without a word from whoever removes it, before another may take the removal over. Milliseconds. */
export const CLOSING_MS = 10_000;
/** How often that word is given, milliseconds. */
const RENEW_MS = 3_000;

/**
 * Runs the removal of a session that was just closed, which stays closed for as long as it takes; where this process dies, for CLOSING_MS.
 * @param removal asks `isClosed` before each step that would end a sandbox: a process that was suspended may find that another has
 * finished its removal, and that there is a new sandbox under the name
 */
export async function keptClosed<T>(
  store: SessionStore,
  key: string,
  removal: (isClosed: () => Promise<boolean>) => Promise<T>,
  now = (): number => store.now(),
): Promise<T> {
  const renew = (): Promise<boolean> => store.keepClosing(key, now() + CLOSING_MS);
  const timer = setInterval(() => void renew().catch(() => undefined), RENEW_MS);
  try {
    return await removal(renew);
  } finally {
    clearInterval(timer);
  }
}

/** Removes the sandbox and the record of a session that was just closed; its volume stays. False where another process has done it meanwhile. */
export function removeClosed(store: SessionStore, runtime: SandboxRuntime, key: string, now?: () => number): Promise<boolean> {
  const removal = async (isClosed: () => Promise<boolean>): Promise<boolean> => {
    if (!(await isClosed())) return false;
    await runtime.remove(key);
    await store.remove(key);
    return true;
  };
  return keptClosed(store, key, removal, now);
}
