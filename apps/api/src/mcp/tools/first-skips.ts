import type { Skips } from '@sandbox/orchestrator';
import { firstItems } from './first-items';

const MAX_CHARACTERS = 2000;

/** Cuts what was skipped to a small share of what a model should read, and counts all of it. */
export function firstSkips({ skipped, skipped_total }: Skips, maxCharacters: number): Skips {
  const first = firstItems(skipped, Math.min(maxCharacters, MAX_CHARACTERS));
  const total = skipped_total ?? skipped.length;
  return { skipped: first, ...(total > first.length ? { skipped_total: total } : {}) };
}
