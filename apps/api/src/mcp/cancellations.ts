import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SESSION_STORE, type OneTimeTexts, type User } from '@sandbox/sessions';

/** How often a call asks whether another replica was told to cancel it. Short calls never ask. */
const POLL_MS = 500;
/** How long the store keeps a cancellation for its call. */
const LIFETIME_MS = 60_000;

/**
 * The name that a call and its cancellation share. Each client chooses its own request ids;
 * `Mcp-Session-Id` tells the clients of one user apart.
 */
export interface CallName {
  readonly user: User;
  readonly client: string;
  readonly requestId: string | number;
}

/**
 * Ends calls whose client sent `notifications/cancelled` (MCP, basic/utilities/cancellation). The
 * cancellation is a request of its own and may reach any replica.
 */
@Injectable()
export class Cancellations {
  private readonly running = new Map<string, AbortController>();

  constructor(@Inject(SESSION_STORE) private readonly store: OneTimeTexts) {}

  /**
   * Watches for the cancellation of a call.
   * @returns a signal that is aborted when the client goes away or cancels the call; `done`, which
   *   the caller has to call when the call ends
   */
  watch(call: CallName, clientGone: AbortSignal): { signal: AbortSignal; done: () => void } {
    const key = keyOf(call);
    const controller = new AbortController();
    this.running.set(key, controller);
    const timer = setInterval(() => {
      this.store.takeOnce(key).then(
        (cancelled) => cancelled !== null && controller.abort(),
        // The store is away. The call goes on, and the next turn asks again.
        () => undefined,
      );
    }, POLL_MS).unref();
    const done = (): void => {
      clearInterval(timer);
      if (this.running.get(key) === controller) this.running.delete(key);
    };
    return { signal: AbortSignal.any([clientGone, controller.signal]), done };
  }

  /** Cancels a call, in this process or in another one. */
  async cancel(call: CallName): Promise<void> {
    const key = keyOf(call);
    const controller = this.running.get(key);
    if (controller !== undefined) controller.abort();
    else await this.store.putOnce(key, '', LIFETIME_MS);
  }
}

function keyOf({ user, client, requestId }: CallName): string {
  const name = JSON.stringify([user.id, client, requestId]);
  return `mcp-cancel:${createHash('sha256').update(name).digest('hex')}`;
}
