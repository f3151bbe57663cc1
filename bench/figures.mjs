/**
 * Builds rows of the table: what was measured, its floor, the ratio of the two, and whether a goal
 * was met. Rows are plain data with finished texts.
 */

const short = (value) =>
  Number.isInteger(value) ? String(value) : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
export const spread = ({ p50, p95, p99 }, unit = 'ms') => `p50 ${short(p50)}, p95 ${short(p95)}, p99 ${short(p99)} ${unit}`;
export const mebibytes = (bytes) => bytes / 2 ** 20;

/** Writes a share as people say it: 1/25, or 1.3 times. */
const share = (ratio) => (ratio < 0.5 ? `1/${short(1 / ratio)}` : `${short(ratio)} times`);

/**
 * Compares times with a floor's: how small a share of the floor they are.
 * @param goal the largest share, or null
 * @param by the percentile that is compared
 * @param more a text beside our figure
 */
export function timeRow({ what, ours, floor, floorName, goal = null, by = 'p50', more = '' }) {
  const ratio = ours[by] / floor[by];
  return {
    what,
    figure: `${spread(ours)}${more}`,
    floor: `${floorName} ${spread(floor)}`,
    ratio: share(ratio),
    goal: goal === null ? null : `${by} ≤ ${share(goal)}`,
    met: goal === null ? null : ratio <= goal,
    values: { unit: 'ms', ours, floor, ratio },
  };
}

/**
 * Compares rates with a floor's: how many times higher they are. `ours` and `floor` are numbers;
 * `more` is a text beside our figure.
 */
export function rateRow({ what, ours, floor, floorName, unit, goal = null, more = '' }) {
  const ratio = ours / floor;
  return {
    what,
    figure: `${short(ours)} ${unit}${more}`,
    floor: `${floorName} ${short(floor)} ${unit}`,
    ratio: `${short(ratio)} times`,
    goal: goal === null ? null : `≥ ${goal} times`,
    met: goal === null ? null : ratio >= goal,
    values: { unit, ours, floor, ratio },
  };
}

/** Shows a figure with a bound of its own. `more` is a text beside it. */
export function boundRow({ what, value, unit, goal = null, floor = '', more = '' }) {
  return {
    what,
    figure: `${short(value)} ${unit}${more}`,
    floor,
    ratio: '',
    goal: goal === null ? null : `≤ ${goal} ${unit}`,
    met: goal === null ? null : value <= goal,
    values: { unit, ours: value },
  };
}

/** Compares a figure at the end with the same figure at the beginning. */
export function growthRow({ what, before, after, unit, goal = null, beforeName, more = '' }) {
  const ratio = after / before;
  return {
    what,
    figure: `${short(after)} ${unit}${more}`,
    floor: `${beforeName} ${short(before)} ${unit}`,
    ratio: `${short(ratio)} times`,
    goal: goal === null ? null : `≤ ${goal} times`,
    met: goal === null ? null : ratio <= goal,
    values: { unit, ours: after, floor: before, ratio },
  };
}
