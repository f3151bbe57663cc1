/** Measures times and rates, in rounds: ours and a floor's in turns. */

/** @returns the time of one call in milliseconds */
export async function timed(call) {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** @returns p50, p95 and p99 of numbers */
export function percentiles(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: sorted.length };
}

/**
 * Summarises the times of one side.
 * @param rounds the times of each round
 * @returns the percentiles of all times, and in `rounds` those of each round
 */
export function timesOf(rounds) {
  return { ...percentiles(rounds.flat()), rounds: rounds.map(percentiles) };
}

/**
 * Summarises the rates of one side.
 * @param rounds the rate of each round
 * @returns their median as `rate`, and `rounds`
 */
export function ratesOf(rounds) {
  return { rate: percentiles(rounds).p50, rounds };
}

/**
 * Times `a` and `b` alternately: `rounds` times `perRound` calls each, after one call of each that
 * does not count. So the machine's drift affects both alike.
 * @param a `{ perRound, call }`, or `{ round }`: a function that makes a whole round's calls and
 *   returns their times; `b` likewise
 * @param {'whole' | 'returned'} time measure the whole call, or take the milliseconds that the call
 *   returns
 * @returns the times of both, as `timesOf` summarises them
 */
export async function interleaved(rounds, a, b, time = 'whole') {
  const sides = [a, b].map((side) => ({ measure: side.round ?? ((round) => roundOfCalls(side, round, time)), times: [] }));
  for (const { round, call } of [a, b]) await (round ?? call)(0);
  for (let round = 0; round < rounds; round++) {
    for (const { measure, times } of sides) times.push(await measure(round));
  }
  return sides.map(({ times }) => timesOf(times));
}

async function roundOfCalls({ perRound, call }, round, time) {
  const times = [];
  for (let i = 0; i < perRound; i++) {
    let returned;
    const whole = await timed(async () => (returned = await call(round * perRound + i + 1)));
    times.push(time === 'whole' ? whole : returned);
  }
  return times;
}

/**
 * Measures the rates of `a` and `b` alternately, `rounds` times. For `seconds`, `width` workers
 * call one after the other.
 * @returns the rates of both, as `ratesOf` summarises them, and the percentiles of their `times`
 */
export async function ratesInTurns(rounds, seconds, width, a, b) {
  const sides = [a, b].map((call) => ({ call, rates: [], times: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) side.rates.push(await perSecond(width, seconds, side.call, side.times));
  }
  return sides.map(({ rates, times }) => Object.assign(ratesOf(rates), { times: percentiles(times) }));
}

/** Counts the calls per second of `width` workers. Adds each call's time to `times`. */
async function perSecond(width, seconds, call, times) {
  const start = performance.now();
  const end = start + seconds * 1000;
  let count = 0;
  await inParallel(width, async (worker) => {
    while (performance.now() < end) {
      times.push(await timed(() => call(worker)));
      count += 1;
    }
  });
  return (count * 1000) / (performance.now() - start);
}

/** Runs `work(0)` to `work(count - 1)`, all at once. */
export function inParallel(count, work) {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** Runs `work` for each item, at most `width` at a time. */
export async function withWidth(width, items, work) {
  const left = [...items];
  await inParallel(Math.min(width, left.length), async () => {
    while (left.length > 0) await work(left.shift());
  });
}
