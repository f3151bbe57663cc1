/** Tells how far the rounds of a run agree. */

/** From so many rounds on, their middle half is the spread. */
const ENOUGH_TO_HALVE = 8;

/**
 * Compares two sides round by round.
 * @param ours one figure for each round
 * @param floor the floor's figures of the same rounds
 */
export function roundRatios(ours, floor) {
  if (ours.length !== floor.length) throw new Error(`${ours.length} rounds against ${floor.length}`);
  return ours.map((figure, round) => figure / floor[round]);
}

/**
 * Tells between which values the ratios of the rounds lie. Of few rounds it takes the least and the
 * greatest. Of eight or more it takes the middle half: the least and the greatest of many rounds
 * would only tell of the two in which the machine was busy with other things.
 * @returns `low`, `high`, the number of rounds, and whether only the middle half was taken; null if
 *   there is only one round, because it tells nothing
 */
export function spreadOf(ratios) {
  if (ratios.length < 2) return null;
  const sorted = [...ratios].sort((a, b) => a - b);
  const middleHalf = sorted.length >= ENOUGH_TO_HALVE;
  const left = middleHalf ? Math.floor(sorted.length / 4) : 0;
  return { low: sorted[left], high: sorted.at(-1 - left), rounds: sorted.length, middleHalf };
}
