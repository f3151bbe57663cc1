/**
 * The most texts kept. Clients decide how many there are, so past this many the oldest are dropped.
 */
const MAX_TEXTS = 10_000;

/** Keeps texts by name. Each can be taken once, before its lifetime ends. */
export class LeftTexts {
  private readonly texts = new Map<string, { value: string; endsAt: number }>();

  putText(name: string, value: string, endsAt: number): void {
    this.texts.delete(name);
    this.texts.set(name, { value, endsAt });
    for (const oldest of this.texts.keys()) {
      if (this.texts.size <= MAX_TEXTS) return;
      this.texts.delete(oldest);
    }
  }

  takeText(name: string, now: number): string | null {
    const left = this.texts.get(name);
    this.texts.delete(name);
    return left !== undefined && left.endsAt > now ? left.value : null;
  }
}
