/** The state of one key's window after a hit. */
export interface Window {
  /** Hits in this window, with the one just counted. */
  readonly hits: number;
  /** Milliseconds until the window ends. */
  readonly remainingMs: number;
}

/**
 * Counts hits by key in this process, in bounded memory. Each key has its own windows, which begin
 * with its first hit.
 */
export class FixedWindows {
  /** The windows in the order in which they began, the oldest first. */
  private readonly windows = new Map<string, { hits: number; endsAt: number }>();

  /**
   * @param windowMs the length of a window
   * @param maxKeys the most keys counted at a time. Beyond it, the oldest windows are dropped
   *   early.
   */
  constructor(
    private readonly windowMs: number,
    private readonly maxKeys = 100_000,
  ) {}

  /** Counts a hit. */
  hit(key: string, now = Date.now()): Window {
    let window = this.windows.get(key);
    if (!window || window.endsAt <= now) {
      this.windows.delete(key);
      this.makeRoom(now);
      window = { hits: 0, endsAt: now + this.windowMs };
      this.windows.set(key, window);
    }
    window.hits++;
    return { hits: window.hits, remainingMs: window.endsAt - now };
  }

  /** @returns the hits of the present window, and 0 without one */
  hitsOf(key: string, now = Date.now()): number {
    const window = this.windows.get(key);
    return window !== undefined && window.endsAt > now ? window.hits : 0;
  }

  /**
   * Makes room for one more window. All windows are equally long, so those that have ended come
   * first.
   */
  private makeRoom(now: number): void {
    for (const [key, { endsAt }] of this.windows) {
      if (endsAt > now && this.windows.size < this.maxKeys) return;
      this.windows.delete(key);
    }
  }
}
