/**
 * Samples an API process every second until it is told to stop. It runs in a thread of its own, so
 * that nobody's work delays its clock.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { expectStatus } from './client.mjs';
import { percentiles, timed } from './measure.mjs';
import { openDescriptors, residentBytes } from './processes.mjs';

const PROBE_MS = 100;
const PROBES_A_SAMPLE = 10;

/**
 * Starts the watcher.
 * @returns a function that stops it and resolves to the samples: `seconds`, `rss`, `descriptors`,
 *   `lag` (times of GET /health, ms)
 */
export function watch({ ports, key, pids }) {
  const service = { ports: [ports[0]], pids: [pids[0]], key, turn: 0 };
  const worker = new Worker(new URL(import.meta.url), { workerData: { watched: service } });
  return async () => {
    worker.postMessage('stop');
    const [samples] = await once(worker, 'message');
    return samples;
  };
}

async function sampleUntilStopped(service) {
  const samples = [];
  const began = performance.now();
  let going = true;
  parentPort.once('message', () => (going = false));
  while (going) {
    const times = [];
    for (let probe = 0; probe < PROBES_A_SAMPLE; probe++) {
      times.push(await timed(() => expectStatus(200, service, 'GET', '/health')));
      await sleep(PROBE_MS);
    }
    samples.push({
      seconds: Math.round((performance.now() - began) / 100) / 10,
      rss: residentBytes(service.pids[0]),
      descriptors: openDescriptors(service.pids[0]),
      lag: percentiles(times),
    });
  }
  parentPort.postMessage(samples);
  parentPort.close();
}

if (workerData?.watched) await sampleUntilStopped(workerData.watched);
