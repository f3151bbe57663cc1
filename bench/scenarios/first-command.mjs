import { deleteSession, execute } from '../client.mjs';
import { dockerRun } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved, timed, timesOf } from '../measure.mjs';
import { fullPool, poolOf } from '../pool.mjs';

export const name = 'first-command';
export const title = 'The first command of a new session';

const FLOOR = '`docker run --rm --network none` `true`';
const POOL_SIZE = 4;

export async function run(scope) {
  await withoutPool(scope, await scope.shared());
  await withPool(scope, await scope.start({ warm: true, env: { POOL_SIZE: String(POOL_SIZE) } }));
}

async function withoutPool(scope, service) {
  const rounds = scope.pick(15, 4);
  const [ours, floor] = await interleaved(
    rounds,
    { perRound: 1, call: (i) => execute(service, `cold${i}`, 'true') },
    { perRound: 1, call: dockerRun },
  );
  scope.row(timeRow({ what: 'no sandbox waits for it', ours, floor, floorName: FLOOR, goal: 1.3 }));
  for (let i = 0; i <= rounds; i++) await deleteSession(service, `cold${i}`);
}

async function withPool(scope, service) {
  const [ours, floor] = [[], []];
  let [rounds, misses] = [0, 0];
  for (let round = -1; round < scope.pick(20, 5); round++) {
    const before = await fullPool(service, POOL_SIZE);
    const time = await timed(() => execute(service, `pooled${round}`, 'true'));
    const hit = (await poolOf(service)).hits > before.hits;
    // Refilling the pool costs the engine as much as the floor does, so wait until it is over.
    await fullPool(service, POOL_SIZE);
    const floorTime = await timed(dockerRun);
    await deleteSession(service, `pooled${round}`);
    if (round < 0) continue;
    rounds += 1;
    if (!hit) {
      misses += 1;
      continue;
    }
    ours.push([time]);
    floor.push([floorTime]);
  }
  if (misses > 0) scope.note(`${misses} of ${rounds} first commands missed the pool, though it was full; they are not counted.`);
  if (ours.length === 0) throw new Error('no first command was answered from the pool');
  const [our, plain] = [timesOf(ours), timesOf(floor)];
  scope.row(timeRow({ what: `a sandbox waits for it (POOL_SIZE=${POOL_SIZE})`, ours: our, floor: plain, floorName: FLOOR, goal: 1 / 15 }));
}
