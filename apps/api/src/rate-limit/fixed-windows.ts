export interface Window {
  /** In this window, the one just counted included. */
  readonly hits: number;
  /** Milliseconds until the window ends. */
  readonly remainingMs: number;
}

/** Counts by key, each key in windows of its own that begin with its first hit. In this process; of bounded size. */
export class FixedWindows {
  /** By the beginning of their windows, the oldest first. */
  private readonly windows = new Map<string, { hits: number; endsAt: number }>();

  /** @param maxKeys keys counted at a time; past it the oldest windows are forgotten before their end */
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

  /** All windows are of one length, so those that have ended are the first. */
  private makeRoom(now: number): void {
    for (const [key, { endsAt }] of this.windows) {
      if (endsAt > now && this.windows.size < this.maxKeys) return;
      this.windows.delete(key);
    }
  }
}
