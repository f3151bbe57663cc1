import { availableParallelism } from 'node:os';
import { FairLimit } from './fair-limit';
import { tooManyWaiting } from './limit-errors';

/** A command holds its place among those that start for no longer than this, milliseconds: short ones end in it, long ones do not keep others out. */
const START_MS = 50;
/** So many at a time keep the cores at work, with the waiting that is in every command. */
const PER_CORE = 4;
/** Far beyond what the limits of users let in together. */
const QUEUE = 10_000;

/**
 * The order in which commands start, users in turn: a hundred that one sends at once would else all be at work, in this process and in the
 * sandboxes, before another's single one is looked at. Where few start at a time, nobody waits.
 */
export class FairStarts {
  private readonly places: FairLimit;

  constructor(width = PER_CORE * availableParallelism()) {
    this.places = new FairLimit(width, QUEUE, tooManyWaiting);
  }

  /** Runs `command` once it is its user's turn. @param signal ends the wait, as in FairLimit */
  run<T>(user: string, command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
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
}

function nothing(): void {}
