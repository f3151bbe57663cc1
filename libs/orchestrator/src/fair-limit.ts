import { ErrorCode, SandboxError } from '@sandbox/errors';

interface Waiter {
  admit(): void;
  refuse(error: Error): void;
}

/** Whether another task of a user may start, where so many run, and so many of them are the user's. Certainly where none runs. */
export type Admits = (running: number, ofUser: number) => boolean;

/**
 * Lets as many tasks run at a time as `admits` says, and `queue` more wait. Those that wait are taken from their users in turn, so one user's
 * hundred delay another's first by one place. Past the queue's end it is the last of the user with the most in it who is refused.
 */
export class FairLimit {
  private running = 0;
  /** By user, of those that have any. */
  private readonly runningOf = new Map<string, number>();
  private queued = 0;
  /** By user, in the order in which they are served next. None is empty. */
  private readonly waiting = new Map<string, Waiter[]>();

  constructor(
    private readonly admits: Admits,
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
    if (this.waiting.has(user) || !this.isAdmitted(user)) await this.place(user, signal);
    else this.count(user, 1);
    try {
      return await task();
    } finally {
      this.count(user, -1);
      this.admitWaiting();
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

  private isAdmitted(user: string): boolean {
    return this.admits(this.running, this.runningOf.get(user) ?? 0);
  }

  private count(user: string, change: 1 | -1): void {
    this.running += change;
    const ofUser = (this.runningOf.get(user) ?? 0) + change;
    if (ofUser === 0) this.runningOf.delete(user);
    else this.runningOf.set(user, ofUser);
  }

  private admitWaiting(): void {
    for (let user = this.next(); user !== undefined; user = this.next()) {
      const theirs = this.waiting.get(user)!;
      const waiter = theirs[0]!;
      this.waiting.delete(user);
      this.waiting.set(user, theirs);
      this.remove(user, waiter);
      this.count(user, 1);
      waiter.admit();
    }
  }

  /** The first in turn of whom one may start. */
  private next(): string | undefined {
    for (const user of this.waiting.keys()) if (this.isAdmitted(user)) return user;
    return undefined;
  }
}
