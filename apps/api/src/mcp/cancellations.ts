import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SESSION_STORE, type SessionStore, type User } from '@sandbox/sessions';

/** How often a call asks whether it was cancelled at another replica, milliseconds. Short calls never do. */
const POLL_MS = 500;
/** How long a cancellation waits for its call to take note of it, milliseconds. */
const LIFETIME_MS = 60_000;

/** What a cancellation and its call have in common. Request ids are a client's own; its `Mcp-Session-Id` tells clients of one user apart. */
export interface CallName {
  readonly user: User;
  readonly client: string;
  readonly requestId: string | number;
}

/** Ends calls whose client sent `notifications/cancelled` (MCP, basic/utilities/cancellation): a request of its own, to any replica. */
@Injectable()
export class Cancellations {
  private readonly running = new Map<string, AbortController>();

  constructor(@Inject(SESSION_STORE) private readonly store: SessionStore) {}

  /** A signal that is aborted with the client's own or when the call is cancelled. `done` has to be called at the call's end. */
  watch(call: CallName, clientGone: AbortSignal): { signal: AbortSignal; done: () => void } {
    const key = keyOf(call);
    const controller = new AbortController();
    this.running.set(key, controller);
    const timer = setInterval(() => {
      this.store.takeOnce(key).then(
        (cancelled) => cancelled !== null && controller.abort(),
        // The store is away: the call goes on, and is asked about again.
        () => undefined,
      );
    }, POLL_MS).unref();
    const done = (): void => {
      clearInterval(timer);
      if (this.running.get(key) === controller) this.running.delete(key);
    };
    return { signal: AbortSignal.any([clientGone, controller.signal]), done };
  }

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
