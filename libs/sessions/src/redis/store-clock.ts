import type { RedisConnection } from '@sandbox/redis';

/**
 * How often Redis is asked for its time. A process that was suspended may be late for this long.
 */
const ASK_EVERY_MS = 10_000;
/** An answer that took longer than this is too inexact to set the clock by. */
const PROMPT_MS = 250;

/**
 * Keeps the time of Redis. Between two answers, this process's steady clock carries it on. The wall
 * clocks of processes that share sessions may differ and jump. With a clock that is behind, a
 * session in use would look expired to the sweeper. With one that is ahead, a session would be kept
 * for too long.
 */
export class StoreClock {
  /** Until Redis answers, the wall clock at this process's start. */
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
      // Redis is away, so the clock goes on by itself.
    }
  }
}
