import { chaos, runSeconds } from '../chaos/chaos';
import { TestEngine } from '../support/service/engine';

/**
 * The short form, which is the same in every run. With this seed, its two parts together cause a
 * fault of each kind. `npm run chaos` takes longer.
 */
const SEED = Number(process.env.CHAOS_SEED ?? 2_447);
const SECONDS = Number(process.env.CHAOS_SECONDS ?? 10);
/** Time for the service to start and end, and for the engine to remove containers. */
const AROUND_SECONDS = 90;

jest.setTimeout((runSeconds(SECONDS) + AROUND_SECONDS) * 1000);

// Needs /proc, to look at the processes it starts and stops, and an engine of its own for one part.
(TestEngine.possible ? it : it.skip).each([
  ['on a tmpfs', false, SEED],
  ['in volumes, on an engine of its own', true, SEED + 1],
])('the service keeps its promises when faults meet load, with workspaces %s', async (_where, persistent, seed) => {
  const began = Date.now();
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} ${line}`);
    if (process.env.CHAOS_SECONDS !== undefined) process.stdout.write(`${said.at(-1)}\n`);
  };
  const violations = await chaos({ seed, seconds: SECONDS, persistent, say });
  if (violations.length > 0) throw new Error(`CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS} npm run chaos\n${said.join('\n')}`);
});
