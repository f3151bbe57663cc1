/**
 * Simulates a user who runs `width` commands at a time, from `go` to `stop`. It runs in a thread of
 * its own, so that its work delays nobody's clock.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { execute } from './client.mjs';
import { inParallel } from './measure.mjs';

const { service, sessions, width } = workerData;
let going = false;
let blast = Promise.resolve();

parentPort.on('message', async (order) => {
  if (order === 'go') {
    going = true;
    blast = run();
    return;
  }
  going = false;
  parentPort.postMessage(await blast);
  if (order === 'end') parentPort.close();
});

async function run() {
  const result = { answered: 0, failed: 0 };
  await inParallel(width, async (worker) => {
    while (going) {
      const outcome = await execute(service, sessions[worker % sessions.length], 'true').then(
        () => 'answered',
        () => 'failed',
      );
      result[outcome] += 1;
    }
  });
  return result;
}
