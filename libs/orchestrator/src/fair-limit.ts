import { ErrorCode, SandboxError } from '@sandbox/errors';

interface Waiter {
  admit(): void;
  refuse(error: Error): void;
}

/**
 * Lets `width()` tasks run at a time and `queue` more wait. Those that wait are taken from their users in turn, so one user's hundred
 * delay another's first by one place. Past the queue's end it is the last of the user with the most in it who is refused.
 */
export class FairLimit {
  private running = 0;
  private queued = 0;
  /** By user, in the order in which they are served next. None is empty. */
  private readonly waiting = new Map<string, Waiter[]>();

  constructor(
    private readonly width: () => number,
    private readonly queue: number,
    private readonly overflow: () => Error,
  ) {}

  get waitingInAll(): number {
    return this.queued;
  }

  /**
   * @param signal ends the wait, never the task
   * @throws what `overflow` says; SandboxError CLIENT_CLOSED_REQUEST where the signal ended the wait
   */
  async run<T>(user: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.running >= this.width()) await this.place(user, signal);
    else this.running += 1;
    try {
      return await task();
    } finally {
      this.release();
    }
  }

  private place(user: string, signal?: AbortSignal): Promise<void> {
    if (this.queued >= this.queue) this.makeRoomFor(user);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.remove(user, waiter);
        reject(new SandboxError(ErrorCode.CLIENT_CLOSED_REQUEST, 'The client closed the request.'));
      };
      const waiter: Waiter = {
        admit: () => (signal?.removeEventListener('abort', leave), resolve()),
        refuse: (error) => (signal?.removeEventListener('abort', leave), reject(error)),
      };
      if (signal?.aborted) return leave();
      signal?.addEventListener('abort', leave, { once: true });
      const others = this.waiting.get(user);
      if (others) others.push(waiter);
      else this.waiting.set(user, [waiter]);
      this.queued += 1;
    });
  }

  private makeRoomFor(user: string): void {
    const [[longest, theirs]] = [...this.waiting].sort(([, a], [, b]) => b.length - a.length) as [[string, Waiter[]]];
    if (theirs.length <= (this.waiting.get(user)?.length ?? 0) + 1) throw this.overflow();
    const last = theirs.at(-1)!;
    this.remove(longest, last);
    last.refuse(this.overflow());
  }

  private remove(user: string, waiter: Waiter): void {
    const theirs = this.waiting.get(user) ?? [];
    const at = theirs.indexOf(waiter);
    if (at === -1) return;
    theirs.splice(at, 1);
    this.queued -= 1;
    if (theirs.length === 0) this.waiting.delete(user);
  }

  private release(): void {
    this.running -= 1;
    while (this.running < this.width() && this.waiting.size > 0) this.admitNext();
  }

  private admitNext(): void {
    const [user, theirs] = this.waiting.entries().next().value!;
    const waiter = theirs[0]!;
    this.waiting.delete(user);
    this.waiting.set(user, theirs);
    this.remove(user, waiter);
    this.running += 1;
    waiter.admit();
  }
}
