import { setTimeout as sleep } from 'node:timers/promises';
import { closeConnections } from '../client.mjs';
import { boundRow, growthRow, mebibytes, timesText } from '../figures.mjs';
import { inParallel, percentiles } from '../measure.mjs';
import { openDescriptors } from '../processes.mjs';
import { simulateAgent } from '../simulated-agent.mjs';
import { watch } from '../watcher.mjs';

export const name = 'agent-day';
export const title = 'An hour of agents’ work in five minutes: commands, files, jobs, sessions that come and go';

const AGENTS = 10;
const SECONDS = { full: 300, quick: 60 };
/**
 * The wait until everything from the last call is closed. Node keeps an idle connection, here the
 * one to the engine, for 5 s.
 */
const SETTLE_MS = 8_000;
/**
 * The difference that is allowed. Memory varies as V8 collects it, and descriptors as sessions and
 * calls come and go.
 */
const FLAT = 1.15;

/** Runs with the pool that the service has by default. */
export async function run(scope) {
  const service = await scope.start({ warm: true, env: { POOL_SIZE: '4' } });
  const descriptors = () => openDescriptors(service.pids[0]);
  const quiet = async () => {
    closeConnections();
    await sleep(SETTLE_MS);
    return descriptors();
  };
  const atFirst = await quiet();
  const stop = watch(service);
  const tally = { calls: 0, sessions: 0, failures: [] };
  const until = performance.now() + 1000 * scope.pick(SECONDS.full, SECONDS.quick);
  await inParallel(AGENTS, (agent) => simulateAgent(service, agent + 1, until, tally));
  const samples = await stop();
  report(scope, samples, tally);
  const after = await quiet();
  scope.row(
    growthRow({
      what: 'descriptors when the agents are gone',
      before: atFirst,
      after,
      unit: 'open',
      beforeName: 'before they came',
      goal: FLAT,
    }),
  );
}

function report(scope, samples, { calls, sessions, failures }) {
  const memory = samples.map(({ rss }) => mebibytes(rss));
  const descriptors = samples.map((sample) => sample.descriptors);
  const beforeName = 'the second fifth’s';
  for (const [what, values, unit] of [
    ['memory of the API, the last fifth’s median', memory, 'MiB'],
    ['its descriptors, the last fifth’s median', descriptors, 'open'],
  ]) {
    const more = `; at most ${Math.max(...values).toFixed(0)}`;
    scope.row(growthRow({ what, before: fifth(values, 1), after: fifth(values, 4), unit, beforeName, goal: FLAT, more }));
  }
  const most = samples.map(({ lag }) => lag.p99);
  scope.row(
    boundRow({
      what: 'slowest GET /health of each second, the median',
      value: percentiles(most).p50,
      unit: 'ms',
      more: `; ${timesText(percentiles(most))}`,
    }),
  );
  scope.row(boundRow({ what: `calls that failed, of ${calls} in ${sessions} sessions`, value: failures.length, unit: 'calls', goal: 0 }));
  if (failures.length > 0) scope.note(`The first that failed: ${failures[0].replaceAll(/\s+/g, ' ')}`);
  draw(scope, samples, { memory, descriptors });
}

/**
 * @returns the median of one fifth of the values. Fifth 0 is the first, in which the service still
 *   grows.
 */
function fifth(values, index) {
  const length = Math.ceil(values.length / 5);
  return percentiles(values.slice(index * length, (index + 1) * length)).p50;
}

function draw(scope, samples, { memory, descriptors }) {
  const xs = samples.map(({ seconds }) => seconds);
  const tenths = (value) => Math.round(value * 10) / 10;
  const lines = (file, about, yLabel, series) =>
    scope.chart({
      file,
      kind: 'lines',
      title: about,
      xLabel: 'seconds',
      yLabel,
      xs,
      series: series.map(([of, values]) => ({ name: of, values: values.map(tenths) })),
    });
  lines('agent-day-memory.svg', 'An agents’ day: memory of the API', 'MiB', [['resident', memory]]);
  lines('agent-day-descriptors.svg', 'An agents’ day: descriptors of the API', 'open', [['descriptors', descriptors]]);
  lines('agent-day-lag.svg', 'An agents’ day: GET /health, ten times a second', 'ms', [
    ['median of a second', samples.map(({ lag }) => lag.p50)],
    ['slowest of a second', samples.map(({ lag }) => lag.p99)],
  ]);
}
