import { setTimeout as sleep } from 'node:timers/promises';
import { deleteSession, execute } from '../client.mjs';
import { docker, plainExec } from '../engine.mjs';
import { boundRow, mebibytes, timeRow } from '../figures.mjs';
import { inParallel, interleaved, withWidth } from '../measure.mjs';
import { availableBytes, cgroupBytes, parentOf, proportionalBytes, residentBytes } from '../processes.mjs';
import { WARM_SESSIONS, warmSession } from '../scenario-run.mjs';

export const name = 'density';
export const title = 'Idle sessions: their memory, and a warm command beside them';

const CREATIONS_AT_A_TIME = 4;
const TRIES = 10;
/** An agent keeps a second worker for 30 s and then ends it. A quick run does not wait for that. */
const SETTLE_MS = { full: 40_000, quick: 5_000 };
/** The sessions among which the commands go round. */
const USED = 50;
const GOALS_AT = 1_000;

export async function run(scope) {
  await density(scope, scope.pick([100], [20]));
}

/** Fills a service with idle sessions up to each of `counts`, and measures. */
export async function density(scope, counts) {
  const service = await scope.start({ warm: true, env: { SESSION_TTL_SECONDS: '7200' } });
  await keepOneWarmSession(service);
  const sessions = [{ session: warmSession(0), container: service.containers[0] }];
  const empty = { available: availableBytes(), count: 1, warm: await warmTimes(scope, service, sessions) };
  const points = [];
  for (const count of counts) {
    await fill(service, sessions, count);
    await sleep(scope.pick(SETTLE_MS.full, SETTLE_MS.quick));
    points.push(await look(scope, service, sessions, empty));
  }
  if (points.length > 1) draw(scope, [{ warm: empty.warm, count: 1 }, ...points]);
}

/** Deletes what a service has been warmed up with, but for the first session. */
export function keepOneWarmSession(service) {
  return inParallel(WARM_SESSIONS - 1, (index) => deleteSession(service, warmSession(index + 1)));
}

/** Makes idle sessions until there are `count`. They are added to `sessions`. */
export async function fill(service, sessions, count) {
  const names = Array.from({ length: count - sessions.length }, (_, index) => `idle${sessions.length + index}`);
  await withWidth(CREATIONS_AT_A_TIME, names, async (session) => {
    sessions.push({ session, container: (await patiently(() => execute(service, session, 'true'))).container_id });
  });
}

/** Retries, because the engine may be late while it makes hundreds of sandboxes. */
async function patiently(call) {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(1_000);
    }
  }
}

async function warmTimes(scope, service, sessions) {
  const used = sessions.slice(0, USED);
  const [ours, floor] = await interleaved(
    scope.pick(10, 4),
    { perRound: USED, call: (turn) => execute(service, used[turn % used.length].session, 'true') },
    { perRound: 3, call: (turn) => plainExec(used[turn % used.length].container, ['sh', '-c', 'true']) },
  );
  return { ours, floor };
}

async function look(scope, service, sessions, empty) {
  const count = sessions.length;
  const goal = (bound) => (count >= GOALS_AT ? bound : null);
  const { sandbox, shim } = await memoryEach(sessions);
  const host = mebibytes(empty.available - availableBytes()) / (count - empty.count);
  const api = mebibytes(residentBytes(service.pids[0]));
  const warm = await warmTimes(scope, service, sessions);
  const more = ` (cgroup with agent ${sandbox.toFixed(1)}, shim ${shim.toFixed(1)}); the machine’s free memory fell by ${host.toFixed(1)} each`;
  scope.row(boundRow({ what: `memory of each of ${count} sandboxes`, value: sandbox + shim, unit: 'MiB', goal: goal(8), more }));
  scope.row(boundRow({ what: `memory of the API with ${count} sessions`, value: api, unit: 'MiB', goal: goal(500) }));
  scope.row(
    timeRow({
      what: `warm \`true\` with ${count} sessions`,
      ours: warm.ours,
      floor: empty.warm.ours,
      floorName: 'with one session',
      goal: goal(1.4),
    }),
  );
  scope.note(
    `A plain \`docker exec\` had a p50 of ${empty.warm.floor.p50.toFixed(1)} ms with one session and ${warm.floor.p50.toFixed(1)} ms with ${count}.`,
  );
  return { count, warm, each: sandbox + shim, api };
}

/**
 * @returns the average memory of each sandbox in MiB: of its cgroup, and of its shim. What shims
 *   share counts in parts.
 */
async function memoryEach(sessions) {
  const sum = { sandbox: 0, shim: 0 };
  await withWidth(8, sessions, async ({ container }) => {
    const { State } = await docker.getContainer(container).inspect();
    sum.sandbox += mebibytes(cgroupBytes(State.Pid));
    sum.shim += mebibytes(proportionalBytes(parentOf(State.Pid)));
  });
  return { sandbox: sum.sandbox / sessions.length, shim: sum.shim / sessions.length };
}

function draw(scope, points) {
  const filled = points.slice(1);
  const xs = filled.map(({ count }) => count);
  const memory = [
    { name: 'each sandbox, × 10', values: filled.map(({ each }) => each * 10) },
    { name: 'the API', values: filled.map(({ api }) => api) },
  ];
  scope.chart({
    file: 'density-memory.svg',
    kind: 'lines',
    title: 'Idle sessions: memory',
    xLabel: 'sessions',
    yLabel: 'MiB',
    xs,
    series: memory,
  });
  const p50 = [{ name: 'warm true, p50', values: points.map(({ warm }) => warm.ours.p50) }];
  scope.chart({
    file: 'density-warm.svg',
    kind: 'lines',
    title: 'Idle sessions: a warm command beside them',
    xLabel: 'sessions',
    yLabel: 'ms',
    xs: points.map(({ count }) => count),
    series: p50,
  });
}
