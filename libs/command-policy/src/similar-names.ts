const MOST_NAMES = 5;
/** A longer word is no typing error. */
const MAX_WORD_CHARACTERS = 40;
const MAX_EDITS = 2;

/**
 * Finds the allowed programs whose names are like a refused word. A name is like it if one begins
 * with the other, or if at most two typing errors lie between them.
 * @returns at most five names, the most similar first
 */
export function similarNames(word: string, allowed: readonly string[]): string[] {
  const name = word.slice(word.lastIndexOf('/') + 1);
  if (name.length < 2 || name.length > MAX_WORD_CHARACTERS) return [];
  return allowed
    .map((other) => ({ other, distance: distanceBetween(name, other) }))
    .filter(({ other, distance }) => distance <= Math.min(MAX_EDITS, Math.floor(Math.min(name.length, other.length) / 2)))
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, MOST_NAMES)
    .map(({ other }) => other);
}

function distanceBetween(name: string, other: string): number {
  const [short, long] = name.length < other.length ? [name, other] : [other, name];
  if (short.length > 2 && long.startsWith(short)) return 1;
  return long.length - short.length > MAX_EDITS ? Infinity : editDistance(name, other);
}

/** @returns the Levenshtein distance: how many characters to add, drop or change */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
