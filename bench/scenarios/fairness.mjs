import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { asOtherUser, execute, expectStatus } from '../client.mjs';
import { timeRow, timesText } from '../figures.mjs';
import { percentiles, timed, timesOf } from '../measure.mjs';
import { WARM_SESSIONS, warmSession } from '../scenario-run.mjs';

export const name = 'fairness';
export const title = 'One user at full blast, and another’s warm command';

/** The number of commands that one user may run at a time. */
const WIDTH = 64;
const SETTLE_MS = 500;

export async function run(scope) {
  const { ports, key, keys, turn, pids } = await scope.shared();
  const service = { ports, key, keys, turn, pids };
  const quiet = asOtherUser(service);
  const sessions = Array.from({ length: WARM_SESSIONS }, (_, index) => warmSession(index));
  const worker = new Worker(new URL('../blast.mjs', import.meta.url), { workerData: { service, sessions, width: WIDTH } });
  const times = { alone: [], beside: [] };
  const health = { alone: [], beside: [] };
  const blast = { answered: 0, failed: 0 };
  let seconds = 0;
  const stop = async (order) => {
    worker.postMessage(order);
    const [result] = await once(worker, 'message');
    for (const outcome of Object.keys(blast)) blast[outcome] += result[outcome];
  };
  await execute(quiet, 'quiet', 'true');
  for (let round = 0; round < scope.pick(6, 2); round++) {
    times.alone.push(await measure(quiet, health.alone));
    const began = performance.now();
    worker.postMessage('go');
    await sleep(SETTLE_MS);
    times.beside.push(await measure(quiet, health.beside));
    await stop('stop');
    seconds += (performance.now() - began) / 1000;
  }
  worker.postMessage('end');
  await once(worker, 'exit');
  const [ours, floor] = [times.beside, times.alone].map(timesOf);
  scope.row(timeRow({ what: `\`true\` beside ${WIDTH} commands at a time`, ours, floor, floorName: 'alone', goal: 3, by: 'p95' }));
  const failed = blast.failed === 0 ? '' : `, and ${blast.failed} were refused`;
  scope.note(`The other user had ${(blast.answered / seconds).toFixed(0)} commands a second answered${failed}.`);
  scope.note(`GET /health between its commands: ${timesText(percentiles(health.beside))}; alone ${timesText(percentiles(health.alone))}.`);
}

/**
 * Measures one round. GET /health in between tells how much of a delay comes from the API's
 * process; its times are added to `health`.
 */
async function measure(service, health) {
  const times = [];
  for (let call = 0; call < 40; call++) {
    times.push(await timed(() => execute(service, 'quiet', 'true')));
    health.push(await timed(() => expectStatus(200, service, 'GET', '/health')));
  }
  return times;
}
