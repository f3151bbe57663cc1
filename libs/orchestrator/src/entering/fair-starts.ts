import { availableParallelism } from 'node:os';
import { within } from '@sandbox/errors';
import { type Admits, FairLimit } from '../turns/fair-limit';
import { tooManyStarting } from './limit-errors';

/**
 * A command counts as *starting* for at most this long. Short commands finish within it. A long one
 * then frees its place.
 */
const START_MS = 10;
/** Starting commands per core. Every command waits for something, so this many keep a core busy. */
const PER_CORE = 4;
/**
 * Places per core for a user who already has one, while another user is active. With so few, the
 * other's first command starts about as fast as on an idle host.
 */
const PER_CORE_OF_MORE = 0.5;
/** A user counts as active for this long after starting a command. */
const RECENT_MS = 1_000;
/** The most commands that may wait: far more than the limits of users let in. */
const QUEUE = 10_000;

/**
 * Decides the order in which commands start: users in turn. Otherwise, if one user sends a hundred
 * commands at once, all of them would be at work before another user's single command is looked at.
 * If few commands start at a time, or each user has one, no command waits.
 */
export class FairStarts {
  private readonly places: FairLimit;
  /** When each user last started a command, the longest ago first. */
  private readonly users = new Map<string, number>();

  constructor(cores = availableParallelism()) {
    const admits: Admits = (running, ofUser) => running < cores * (this.users.size > 1 && ofUser > 0 ? PER_CORE_OF_MORE : PER_CORE);
    this.places = new FairLimit(admits, QUEUE, tooManyStarting);
  }

  /**
   * Runs `command` once it is its user's turn.
   * @param signal ends the wait, never the command
   */
  runStart<T>(user: string, command: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.note(user);
    return new Promise<T>((resolve, reject) => {
      const start = async (): Promise<void> => {
        const running = command();
        running.then(resolve, reject);
        await within(START_MS, running.then(nothing, nothing), nothing);
      };
      this.places.runLimited(user, start, signal).catch(reject);
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
