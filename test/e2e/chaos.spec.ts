import { chaos, runSeconds } from '../chaos/chaos';
import { TestEngine } from '../support/service/engine';

/**
 * The short form, which is the same in every run. With this seed, its two parts together cause a
 * fault of each kind. `npm run chaos` takes longer.
 */
const SEED = Number(process.env.CHAOS_SEED ?? 2_447);
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 10);
/** For the start and the end of the service, and the engine's removals. */
const AROUND_SECONDS = 90;

jest.setTimeout((runSeconds(SECONDS) + AROUND_SECONDS) * 1000);

// What it starts and stops is looked at by /proc, and one part has an engine of its own.
(TestEngine.possible ? it : it.skip).each([
  ['on a tmpfs', false, SEED],
  ['in volumes, on an engine of its own', true, SEED + 1],
])('Under load and faults the service keeps its promises, with workspaces %s', async (_where, persistent, seed) => {
  const began = Date.now();
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} ${line}`);
    if (process.env.CHAOS_SECONDS !== undefined) process.stdout.write(`${said.at(-1)}\n`);
  };
  const violations = await chaos({ seed, seconds: SECONDS, persistent, say });
  if (violations.length > 0) throw new Error(`CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS} npm run chaos\n${said.join('\n')}`);
});
