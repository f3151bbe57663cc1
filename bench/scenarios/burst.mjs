import { setTimeout as sleep } from 'node:timers/promises';
import { deleteSession, execute } from '../client.mjs';
import { dockerRun } from '../engine.mjs';
import { rateRow, timesText } from '../figures.mjs';
import { inParallel, percentiles, ratesOf, timed, withWidth } from '../measure.mjs';

export const name = 'burst';
export const title = 'Many new sessions at once';

/** A new service's pool has to be full before anything is measured. */
const SETTLE_MS = 2_500;

/**
 * Runs with the service's default pool and default limits on creation. One user asks for all
 * sandboxes.
 */
export async function run(scope) {
  const service = await scope.start({ warm: true, env: { POOL_SIZE: '4', MAX_CONCURRENT_COMMANDS_PER_USER: '100' } });
  for (const [count, rounds] of [
    [20, scope.pick(3, 1)],
    [100, scope.pick(1, 0)],
  ]) {
    if (rounds > 0) await burst(scope, service, count, rounds);
  }
}

async function burst(scope, service, count, rounds) {
  const [ours, floor, times, refusals] = [[], [], [], []];
  for (let round = 0; round < rounds; round++) {
    await sleep(SETTLE_MS);
    const names = Array.from({ length: count }, (_, index) => `burst${count}-${round}-${index}`);
    const answered = times.length;
    const seconds = await inSeconds(count, async (index) => {
      try {
        times.push(await timed(() => execute(service, names[index], 'true', { timeout: 120 })));
      } catch (error) {
        refusals.push(error.message.slice(0, 120));
      }
    });
    ours.push((times.length - answered) / seconds);
    await withWidth(4, names, (session) => deleteSession(service, session));
    await sleep(SETTLE_MS);
    floor.push(count / (await inSeconds(count, dockerRun)));
  }
  const refused = refusals.length === 0 ? '' : `; ${refusals.length} of ${count * rounds} refused`;
  if (refusals.length > 0) scope.note(`Of ${count} at once, the first refusal: ${refusals[0]}`);
  scope.row(
    rateRow({
      what: `first command of ${count} new sessions at once`,
      ours: ratesOf(ours),
      floor: ratesOf(floor),
      floorName: `${count} \`docker run --rm\` at once`,
      unit: 'sessions/s',
      more: times.length === 0 ? refused : `; ${timesText(percentiles(times))}${refused}`,
    }),
  );
}

const inSeconds = async (count, work) => (await timed(() => inParallel(count, work))) / 1000;
