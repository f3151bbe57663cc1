export interface Window {
  /** Hits in this window, including the one just counted. */
  readonly hits: number;
  /** Milliseconds until the window ends. */
  readonly remainingMs: number;
}

/**
 * Counts hits by key in this process, in bounded memory. Each key has windows of its own, which
 * begin with its first hit.
 */
export class FixedWindows {
  /** In the order in which the windows began, the oldest first. */
  private readonly windows = new Map<string, { hits: number; endsAt: number }>();

  /**
   * @param maxKeys the most keys counted at a time; past it the oldest windows are dropped before
   * their end
   */
  constructor(
    private readonly windowMs: number,
    private readonly maxKeys = 100_000,
  ) {}

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

  /** All windows are equally long, so those that have ended come first. */
  private makeRoom(now: number): void {
    for (const [key, { endsAt }] of this.windows) {
      if (endsAt > now && this.windows.size < this.maxKeys) return;
      this.windows.delete(key);
    }
  }
}
