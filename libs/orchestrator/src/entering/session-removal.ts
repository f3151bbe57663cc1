import type { SessionStore } from '@sandbox/sessions';
import type { SandboxRuntime } from '../runtime/sandbox-runtime';

/**
 * How long a closing mark holds unless its process renews it. After that, another process may take
 * over the removal.
 */
export const CLOSING_MS = 10_000;
/** How often a process renews its closing mark. */
const RENEW_MS = 3_000;

/**
 * Runs the removal of a session that was just closed, and keeps the session closed for as long as
 * the removal takes. If this process dies, the session stays closed for CLOSING_MS.
 * @param removal must ask `isClosed` before each step that ends a sandbox. A process that was
 * suspended may find that another process has finished the removal and that the name has a new
 * sandbox.
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

/**
 * Removes the sandbox and the record of a session that was just closed. Its volume stays.
 * @returns false if another process has removed them meanwhile
 */
export function removeClosed(store: SessionStore, runtime: SandboxRuntime, key: string, now?: () => number): Promise<boolean> {
  const removal = async (isClosed: () => Promise<boolean>): Promise<boolean> => {
    if (!(await isClosed())) return false;
    await runtime.remove(key);
    await store.remove(key);
    return true;
  };
  return keptClosed(store, key, removal, now);
}
