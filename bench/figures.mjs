/**
 * Builds rows of the table: what was measured, its floor, the ratio of the two, how far its rounds
 * agree, and whether a goal was met. Rows are plain data with finished texts.
 */
import { roundRatios, spreadOf } from './spread.mjs';

const short = (value) =>
  Number.isInteger(value) ? String(value) : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
export const timesText = ({ p50, p95, p99 }) => `p50 ${short(p50)}, p95 ${short(p95)}, p99 ${short(p99)} ms`;
export const mebibytes = (bytes) => bytes / 2 ** 20;

/** Writes a share as people say it: 1/25, or 1.3 times. */
const share = (ratio) => (ratio < 0.5 ? `1/${short(1 / ratio)}` : multiple(ratio));
const multiple = (ratio) => `${short(ratio)} times`;

/** Writes the ratios of the rounds, each as `write` writes one. */
function roundsText(ratios, write) {
  const spread = spreadOf(ratios);
  if (spread === null) return 'only one';
  const ends = [write(spread.low), write(spread.high)];
  if (ends[1].startsWith('1/')) ends.reverse();
  else ends[0] = ends[0].replace(/ times$/, '');
  return `${ends.join(' to ')} (${spread.middleHalf ? 'middle half of' : 'all'} ${spread.rounds})`;
}

/**
 * Compares times with a floor's: how small a share of the floor they are.
 * @param ours as `timesOf` summarises them; `floor` likewise
 * @param goal the largest share, or null
 * @param by the percentile that is compared
 * @param more a text beside our figure
 */
export function timeRow({ what, ours, floor, floorName, goal = null, by = 'p50', more = '' }) {
  const ratio = ours[by] / floor[by];
  const [{ rounds: ourRounds, ...our }, { rounds: floorRounds, ...plain }] = [ours, floor];
  const ratios = roundRatios(...[ourRounds, floorRounds].map((rounds) => rounds.map((round) => round[by])));
  return {
    what,
    figure: `${timesText(ours)}${more}`,
    floor: `${floorName} ${timesText(floor)}`,
    ratio: share(ratio),
    rounds: roundsText(ratios, share),
    goal: goal === null ? null : `${by} ≤ ${share(goal)}`,
    met: goal === null ? null : ratio <= goal,
    values: { unit: 'ms', ours: our, floor: plain, ratio, spread: spreadOf(ratios) },
  };
}

/**
 * Compares rates with a floor's: how many times higher they are.
 * @param ours as `ratesOf` summarises them; `floor` likewise
 * @param more a text beside our figure
 */
export function rateRow({ what, ours, floor, floorName, unit, goal = null, more = '' }) {
  const ratio = ours.rate / floor.rate;
  const ratios = roundRatios(ours.rounds, floor.rounds);
  return {
    what,
    figure: `${short(ours.rate)} ${unit}${more}`,
    floor: `${floorName} ${short(floor.rate)} ${unit}`,
    ratio: multiple(ratio),
    rounds: roundsText(ratios, multiple),
    goal: goal === null ? null : `≥ ${multiple(goal)}`,
    met: goal === null ? null : ratio >= goal,
    values: { unit, ours: ours.rate, floor: floor.rate, ratio, spread: spreadOf(ratios) },
  };
}

/** Shows a figure with a bound of its own. `more` is a text beside it. */
export function boundRow({ what, value, unit, goal = null, floor = '', more = '' }) {
  return {
    what,
    figure: `${short(value)} ${unit}${more}`,
    floor,
    ratio: '',
    rounds: '',
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
    ratio: multiple(ratio),
    rounds: '',
    goal: goal === null ? null : `≤ ${multiple(goal)}`,
    met: goal === null ? null : ratio <= goal,
    values: { unit, ours: after, floor: before, ratio },
  };
}
