/** Timing. Every figure is a ratio against a floor that is measured in the same run, in turns with it. */

/** One call's time, milliseconds. */
export async function timed(call) {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** p50, p95 and p99 of numbers. */
export function percentiles(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: sorted.length };
}

/**
 * Times of `a` and `b` in turns, `rounds` times `perRound` calls each, after one call of each that does not count: the machine's drift
 * meets both alike.
 * @param {'whole' | 'returned'} time of the whole call, or what the call returns, milliseconds
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

/** Rates of `a` and `b` in turns: `width` workers that call one after the other for `seconds`, `rounds` times. */
export async function ratesInTurns(rounds, seconds, width, a, b) {
  const sides = [a, b].map((call) => ({ call, perSecond: [], times: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) side.perSecond.push(await perSecond(width, seconds, side.call, side.times));
  }
  return sides.map(({ perSecond: rates, times }) => ({ perSecond: percentiles(rates).p50, times: percentiles(times) }));
}

/** Calls a second of `width` workers; adds each call's time to `times`. */
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

/** `work(0)` to `work(count - 1)`, all at once. */
export function inParallel(count, work) {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** `work` for each item, at most `width` at a time. */
export async function withWidth(width, items, work) {
  const left = [...items];
  await inParallel(Math.min(width, left.length), async () => {
    while (left.length > 0) await work(left.shift());
  });
}
