/**
 * Measures time. Every figure is a ratio to a floor that is measured in the same run, alternately
 * with it.
 */

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
 * Times `a` and `b` alternately: `rounds` times `perRound` calls each, after one call of each that
 * does not count. So the machine's drift affects both alike.
 * @param {'whole' | 'returned'} time measure the whole call, or take the milliseconds that the call
 *   returns
 */
export async function interleaved(rounds, a, b, time = 'whole') {
  const times = [[], []];
  await a.call(0);
  await b.call(0);
  for (let round = 0; round < rounds; round++) {
    for (const [index, side] of [a, b].entries()) {
      for (let i = 0; i < side.perRound; i++) {
        let returned;
        const whole = await timed(async () => (returned = await side.call(round * side.perRound + i + 1)));
        times[index].push(time === 'whole' ? whole : returned);
      }
    }
  }
  return times.map(percentiles);
}

/**
 * Measures the rates of `a` and `b` alternately, `rounds` times. For `seconds`, `width` workers
 * call one after the other.
 */
export async function ratesInTurns(rounds, seconds, width, a, b) {
  const sides = [a, b].map((call) => ({ call, perSecond: [], times: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) side.perSecond.push(await perSecond(width, seconds, side.call, side.times));
  }
  return sides.map(({ perSecond: rates, times }) => ({ perSecond: percentiles(rates).p50, times: percentiles(times) }));
}

/** Counts the calls per second of `width` workers. Adds each call's time to `times`. */
export async function perSecond(width, seconds, call, times = []) {
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
