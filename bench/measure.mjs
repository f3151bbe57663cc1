/** Timing helpers. Every figure is a ratio against a floor that is measured in the same run, in turns with it. */

/** One call's time, milliseconds. */
export async function timed(call) {
  const start = process.hrtime.bigint();
  await call();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** p50, p95 and p99 of times, milliseconds. */
export function percentiles(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: sorted.length };
}

/**
 * `a` and `b` in turns, `rounds` times `perRound` calls each, after one call of each that does not count: the machine's drift meets both alike.
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

/** Calls a second of `width` workers that call one after the other for `seconds`. */
export async function rate(width, seconds, call) {
  const end = performance.now() + seconds * 1000;
  let count = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: width }, async (_, worker) => {
      while (performance.now() < end) {
        await call(worker);
        count += 1;
      }
    }),
  );
  return (count * 1000) / (performance.now() - start);
}
