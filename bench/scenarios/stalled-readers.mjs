import { setTimeout as sleep } from 'node:timers/promises';
import { execute, stalledStream, streamed } from '../client.mjs';
import { boundRow, mebibytes, timeRow } from '../figures.mjs';
import { inParallel, timed, timesOf } from '../measure.mjs';
import { residentBytes } from '../processes.mjs';

export const name = 'stalled-readers';
export const title = 'Streams that nobody reads, and the others';

const STALLED = 20;
/** The waits until every buffer on the way is full, and until the commands are gone again. */
const FULL_MS = 2_000;
const GONE_MS = 1_000;

export async function run(scope) {
  const service = await scope.shared();
  const sessions = { 'in the same session': 'stalled', 'in another session': 'flowing' };
  const times = {};
  for (const [where, session] of Object.entries(sessions)) {
    await execute(service, session, 'true');
    times[where] = { stalled: [], free: [] };
  }
  const measure = async (state) => {
    for (const [where, session] of Object.entries(sessions)) {
      const round = [];
      for (let call = 0; call < 30; call++) round.push(await timed(() => streamed(service, session, 'echo x')));
      times[where][state].push(round);
    }
  };
  // The first streams make V8 compile the code that runs them.
  for (const session of Object.values(sessions)) for (let call = 0; call < 100; call++) await streamed(service, session, 'echo x');
  let most = 0;
  const before = residentBytes(service.pids[0]);
  for (let round = 0; round < scope.pick(5, 2); round++) {
    await measure('free');
    const leave = await inParallel(STALLED, () => stalledStream(service, 'stalled', 'exec yes'));
    await sleep(FULL_MS);
    await measure('stalled');
    most = Math.max(most, residentBytes(service.pids[0]));
    for (const goAway of leave) goAway();
    await sleep(GONE_MS);
  }
  for (const [where, { stalled, free }] of Object.entries(times)) {
    const [ours, floor] = [stalled, free].map(timesOf);
    const what = `\`echo\` as a stream beside ${STALLED} stalled ones, ${where}`;
    scope.row(timeRow({ what, ours, floor, floorName: 'without them', goal: 2, by: 'p95' }));
  }
  scope.row(boundRow({ what: 'growth of the API with them', value: mebibytes(most - before), unit: 'MiB' }));
}
