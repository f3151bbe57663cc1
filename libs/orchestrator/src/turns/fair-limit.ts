import { clientClosed } from '@sandbox/errors';

interface Waiter {
  admit(): void;
  refuse(error: Error): void;
}

/**
 * Whether another task of a user may start. It must answer true if no task runs.
 * @param running how many tasks run
 * @param ofUser how many of them are this user's
 */
export type Admits = (running: number, ofUser: number) => boolean;

/**
 * Lets as many tasks run at a time as `admits` says, and up to `queue` more wait. Waiting tasks are
 * taken from their users in turn, so one user's hundred tasks delay another user's first by one
 * place. When the queue is full, the newest waiter of the user with most waiters is refused. So one
 * user cannot fill it for others.
 */
export class FairLimit {
  private running = 0;
  /** How many tasks run, by user; without users that have none. */
  private readonly runningOf = new Map<string, number>();
  private queued = 0;
  /** The waiting tasks by user, in the order in which users are served next. No list is empty. */
  private readonly waiting = new Map<string, Waiter[]>();

  /**
   * @param queue the most tasks that may wait
   * @param overflow makes the error for a task that finds no place in the queue
   */
  constructor(
    private readonly admits: Admits,
    private readonly queue: number,
    private readonly overflow: () => Error,
  ) {}

  get waitingInAll(): number {
    return this.queued;
  }

  /**
   * Runs the task once it is its user's turn.
   * @param signal ends the wait, never the task
   * @throws the error that `overflow` makes; SandboxError CLIENT_CLOSED_REQUEST if the signal ended
   * the wait
   */
  async runLimited<T>(user: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
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
        reject(clientClosed());
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

  /** Returns the first user in turn whose task may start. */
  private next(): string | undefined {
    for (const user of this.waiting.keys()) if (this.isAdmitted(user)) return user;
    return undefined;
  }
}
