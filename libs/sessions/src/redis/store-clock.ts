import type { RedisConnection } from './redis-connection';

/** How often Redis is asked for its time, milliseconds: so long a process that was suspended may be late. */
const ASK_EVERY_MS = 10_000;
/** An answer that took longer says too little of the time between, milliseconds. */
const PROMPT_MS = 250;

/**
 * The time of Redis, carried on by this process's steady clock from one answer to the next. The wall clocks of processes that share
 * sessions may be apart, and jump: by one that is behind, a session in use would look expired to the sweeper; by one that is ahead, a
 * session would be kept for long.
 */
export class StoreClock {
  /** Until Redis answers, the wall clock as this process began. */
  private offset = performance.timeOrigin;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly connection: RedisConnection) {
    connection.client.on('ready', () => void this.ask());
    this.timer = setInterval(() => void this.ask(), ASK_EVERY_MS).unref();
  }

  now(): number {
    return Math.round(this.offset + performance.now());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async ask(): Promise<void> {
    const asked = performance.now();
    try {
      const [seconds, microseconds] = (await this.connection.client.time()).map(Number);
      const answered = performance.now();
      const time = seconds! * 1000 + microseconds! / 1000;
      if (Number.isFinite(time) && answered - asked <= PROMPT_MS) this.offset = time - (asked + answered) / 2;
    } catch {
      // Redis is away: the clock goes on by itself.
    }
  }
}
