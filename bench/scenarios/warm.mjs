import { execute } from '../client.mjs';
import { plainExec } from '../engine.mjs';
import { rateRow, timeRow, timesText } from '../figures.mjs';
import { interleaved, ratesInTurns } from '../measure.mjs';
import { cpuSeconds } from '../processes.mjs';
import { WARM_SESSIONS, warmSession } from '../scenario-run.mjs';
import { spawnTimes } from '../spawn.mjs';

export const name = 'warm';
export const title = 'Warm commands: `true` in sessions that are there';

const TRUE = ['sh', '-c', 'true'];
const SECONDS = { full: 4, quick: 1 };
/**
 * With Redis, the service is deployed. With the memory store, `npm start` runs it. If a service has
 * no `spawn`, it is not compared with the bare spawn of a command.
 */
const SERVICES = [
  { label: 'Redis store, 1 API process', options: null, goals: { alone: 1 / 20, spawn: null, eight: 18 } },
  { label: 'Redis store, 2 API processes', options: { apis: 2 }, goals: {} },
  { label: 'memory store', options: { store: 'memory' }, goals: { alone: 1 / 27, spawn: 2.5, eight: 24 } },
];

export async function run(scope) {
  const latencies = [];
  const rates = [];
  for (const { label, options, goals } of SERVICES) {
    const service = options === null ? await scope.shared() : await scope.start({ ...options, warm: true });
    const alone = await oneAtATime(scope, service, label, goals.alone);
    latencies.push(alone.ours);
    if (latencies.length === 1) latencies.unshift(alone.floor);
    if (goals.spawn !== undefined) await againstSpawn(scope, service, label, goals.spawn);
    for (const width of [8, 32]) rates.push(await manyAtATime(scope, service, label, width, width === 8 ? goals.eight : undefined));
    if (options !== null) await service.stop();
  }
  scope.chart({
    file: 'warm-latency.svg',
    kind: 'bars',
    title: 'A warm command, one at a time',
    unit: 'ms',
    names: ['p50', 'p95', 'p99'],
    groups: latencies.map(({ label, p50, p95, p99 }) => ({ name: label, values: [p50, p95, p99] })),
  });
  scope.chart({
    file: 'warm-rate.svg',
    kind: 'bars',
    title: 'Warm commands a second',
    unit: '/s',
    names: ['sandbox-api', 'docker exec'],
    groups: rates,
  });
}

async function oneAtATime(scope, service, label, goal) {
  const session = warmSession(0);
  const [cpuBefore, rounds, perRound] = [apiCpu(service), scope.pick(20, 6), 50];
  const [ours, floor] = await interleaved(
    rounds,
    { perRound, call: () => execute(service, session, 'true') },
    { perRound: 5, call: () => plainExec(service.containers[0], TRUE) },
  );
  const more = `; ${cpuOfEach(service, cpuBefore, rounds * perRound)}`;
  scope.row(timeRow({ what: `1 at a time, ${label}`, ours, floor, floorName: 'docker exec', goal, more }));
  return { ours: { label, ...ours }, floor: { label: 'docker exec', ...floor } };
}

async function againstSpawn(scope, service, label, goal) {
  const [ours, floor] = await interleaved(
    scope.pick(20, 6),
    { perRound: 50, call: () => execute(service, warmSession(0), 'true') },
    { round: () => spawnTimes(service.containers[0]) },
  );
  const floorName = '`posix_spawn` and wait of `sh -c true` in the same sandbox';
  scope.row(timeRow({ what: `1 at a time, ${label}`, ours, floor, floorName, goal }));
}

async function manyAtATime(scope, service, label, width, goal) {
  const cpuBefore = apiCpu(service);
  const [ours, floor] = await ratesInTurns(
    scope.pick(3, 1),
    scope.pick(SECONDS.full, SECONDS.quick),
    width,
    (worker) => execute(service, warmSession(worker), 'true'),
    (worker) => plainExec(service.containers[worker % WARM_SESSIONS], TRUE),
  );
  const more = `; ${timesText(ours.times)}; ${cpuOfEach(service, cpuBefore, ours.times.count)}`;
  const what = `${width} at a time in ${WARM_SESSIONS} sessions, ${label}`;
  scope.row(rateRow({ what, ours, floor, floorName: 'docker exec', unit: '/s', goal, more }));
  return { name: `${width} at a time, ${label}`, values: [ours.rate, floor.rate] };
}

/** The API has nothing to do while its floor is measured. */
const cpuOfEach = (service, before, calls) => `${((1000 * (apiCpu(service) - before)) / calls).toFixed(2)} ms of the API’s CPU each`;
const apiCpu = ({ pids }) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
