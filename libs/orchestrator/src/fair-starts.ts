import { availableParallelism } from 'node:os';
import { type Admits, FairLimit } from './fair-limit';
import { tooManyStarting } from './limit-errors';

/** A command holds its place among those that start for no longer than this, milliseconds: short ones end in it, long ones do not keep others out. */
const START_MS = 10;
/** What keeps the cores at work, with the waiting that is in every command. */
const PER_CORE = 4;
/** Where several users are at it, and one has begun a command: with so few at work another's is served about as soon as it would be alone. */
const PER_CORE_OF_MORE = 0.5;
/** A user who started a command so long ago counts no more, milliseconds. */
const RECENT_MS = 1_000;
/** Far beyond what the limits of users let in together. */
const QUEUE = 10_000;

/**
 * The order in which commands start, users in turn: a hundred that one sends at once would else all be at work, in this process and in the
 * sandboxes, before another's single one is looked at. Where few start at a time, or each user has one, nobody waits.
 */
export class FairStarts {
  private readonly places: FairLimit;
  /** When each last started one, the longest ago first. */
  private readonly users = new Map<string, number>();

  constructor(cores = availableParallelism()) {
    const admits: Admits = (running, ofUser) => running < cores * (this.users.size > 1 && ofUser > 0 ? PER_CORE_OF_MORE : PER_CORE);
    this.places = new FairLimit(admits, QUEUE, tooManyStarting);
  }

  /** Runs `command` once it is its user's turn. @param signal ends the wait, as in FairLimit */
  run<T>(user: string, command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.note(user);
    return new Promise<T>((resolve, reject) => {
      const start = async (): Promise<void> => {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((held) => (timer = setTimeout(held, START_MS)));
        const running = command();
        running.then(resolve, reject);
        await Promise.race([running.then(nothing, nothing), late]);
        clearTimeout(timer);
      };
      this.places.run(user, start, signal).catch(reject);
    });
  }

  private note(user: string): void {
    const now = performance.now();
    this.users.delete(user);
    this.users.set(user, now);
    for (const [each, at] of this.users) {
      if (at > now - RECENT_MS) return;
      this.users.delete(each);
    }
  }
}

function nothing(): void {}
