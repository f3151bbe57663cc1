/**
 * Every run has the same cases unless it sets a seed. So what passes on one machine passes on all.
 */
const DEFAULT_SEED = 487_652_962;

/** Returns a whole number from 0 to below its argument, which is at least 1. */
export type Random = (below: number) => number;

/** Marsaglia's xorshift32, so that a seed gives the same cases in every run. */
export function randomizer(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/**
 * Runs `check` for many cases, each with a random generator of its own. Another FUZZ_SEED runs
 * other cases. A failure names the seed and the case; FUZZ_CASE runs only that case.
 */
export async function fuzz(cases: number, check: (random: Random) => void | Promise<void>): Promise<void> {
  const seed = Number(process.env.FUZZ_SEED ?? DEFAULT_SEED);
  const only = process.env.FUZZ_CASE;
  const [first, end] = only === undefined ? [0, cases] : [Number(only), Number(only) + 1];
  for (let index = first; index < end; index++) {
    try {
      // Neighbouring states of xorshift have much in common, so a multiplication separates the
      // cases.
      const pending = check(randomizer(Math.imul(seed + index, 0x9e3779b1) ^ seed));
      if (pending !== undefined) await pending;
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed} FUZZ_CASE=${index}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}
