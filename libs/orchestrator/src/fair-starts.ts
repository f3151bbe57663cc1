import { availableParallelism } from 'node:os';
import { FairLimit } from './fair-limit';
import { tooManyStarting } from './limit-errors';

/** A command holds its place among those that start for no longer than this, milliseconds: short ones end in it, long ones do not keep others out. */
const START_MS = 50;
/** What of one user alone keeps the cores at work, with the waiting that is in every command. */
const PER_CORE_ALONE = 4;
/** Where several are at it, so many that each is served about as soon as it would be alone. */
const PER_CORE_TOGETHER = 1;
/** A user who started a command so long ago counts no more, milliseconds. */
const RECENT_MS = 1_000;
/** Far beyond what the limits of users let in together. */
const QUEUE = 10_000;

/**
 * The order in which commands start, users in turn: a hundred that one sends at once would else all be at work, in this process and in the
 * sandboxes, before another's single one is looked at. Where few start at a time, nobody waits.
 */
export class FairStarts {
  private readonly places: FairLimit;
  /** When each last started one, the longest ago first. */
  private readonly users = new Map<string, number>();

  constructor(cores = availableParallelism()) {
    const width = (): number => cores * (this.users.size > 1 ? PER_CORE_TOGETHER : PER_CORE_ALONE);
    this.places = new FairLimit(width, QUEUE, tooManyStarting);
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
