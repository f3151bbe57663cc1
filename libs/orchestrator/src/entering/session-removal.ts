import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { SESSION_STORE, type SessionRef, type SessionStore } from '@sandbox/sessions';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { ENTER_DEADLINE_MS, sandboxUnresponsive } from './enter-deadline';
import { SessionConnections } from './session-connections';

/**
 * How long a closing mark holds unless its process renews it. After that, another process may take
 * over the removal.
 */
export const CLOSING_MS = 10_000;
/** How often a process renews its closing mark. */
const RENEW_MS = 3_000;
/** How long a process waits before it tries again to close a session that another one removes. */
const RETRY_MS = 25;

/** Deletes sessions on a caller's behalf. */
@Injectable()
export class SessionRemoval {
  constructor(
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(SANDBOX_RUNTIME) private readonly runtime: SandboxRuntime,
    private readonly connections: SessionConnections,
  ) {}

  /**
   * Removes a session's sandbox, its volume if it has one, and its record. All are gone when the
   * promise resolves. Calls under way in the session end with SESSION_DELETED. Idempotent.
   * @throws SandboxError SANDBOX_UNRESPONSIVE after 28 s; RUNTIME_UNAVAILABLE, STORE_UNAVAILABLE
   */
  async removeSession(ref: SessionRef): Promise<void> {
    const giveUpAt = this.store.now() + ENTER_DEADLINE_MS;
    while (!(await closeSession(this.store, ref.key)) || !(await this.removeWithVolume(ref, giveUpAt))) {
      if (this.store.now() > giveUpAt) throw sandboxUnresponsive();
      await sleep(RETRY_MS);
    }
  }

  /** @returns false if the session is not closed any more */
  private removeWithVolume({ key }: SessionRef, giveUpAt: number): Promise<boolean> {
    return keptClosed(this.store, key, async (isClosed) => {
      this.connections.closeChannel(key);
      do {
        // A call that entered before the mark may make a sandbox after it, with this volume. The
        // call then finds that the session is closed and enters again. So this removes once more.
        if (this.store.now() > giveUpAt) throw sandboxUnresponsive();
        if (!(await isClosed())) return false;
        await this.runtime.removeSandbox(key);
      } while (!(await this.runtime.removeVolume(key)));
      await this.store.removeSession(key);
      return true;
    });
  }
}

/**
 * Sets the closing mark of a session, whatever state it is in.
 * @returns false if another process has set it already
 */
export function closeSession(store: SessionStore, key: string): Promise<boolean> {
  return store.closeSession(key, 'always', store.now(), store.now() + CLOSING_MS);
}

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
    await runtime.removeSandbox(key);
    await store.removeSession(key);
    return true;
  };
  return keptClosed(store, key, removal, now);
}
