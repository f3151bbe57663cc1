import { setTimeout as sleep } from 'node:timers/promises';
import { callJson, execute, expectStatus, sessionPath, streamed } from '../client.mjs';
import { plainExec } from '../engine.mjs';
import { boundRow, mebibytes, rateRow, timeRow } from '../figures.mjs';
import { interleaved, percentiles, ratesOf, timed } from '../measure.mjs';
import { residentBytes } from '../processes.mjs';

export const name = 'output';
export const title = 'What commands print';

const MIB = 2 ** 20;
const printing = (bytes) => `head -c ${bytes} /dev/zero | tr '\\0' x`;

export async function run(scope) {
  const service = await scope.shared();
  const { container_id: container } = await execute(service, 'output', 'true');
  const place = { service, container };
  await firstByte(scope, place);
  await streamedOut(scope, place, 64 * MIB);
  await collected(scope, place, 50_000_000);
  await healthMeanwhile(scope, place);
  await jobOutput(scope, 64 * MIB);
}

/** Measures the first byte of a command that goes on running. */
async function firstByte(scope, { service, container }) {
  const command = 'printf x; exec sleep 0.2';
  const [ours, floor] = await interleaved(
    scope.pick(20, 5),
    { perRound: 3, call: async () => (await streamed(service, 'output', command)).firstMs },
    { perRound: 3, call: async () => (await plainExec(container, ['sh', '-c', command])).firstMs },
    'returned',
  );
  scope.row(timeRow({ what: 'first byte of a stream', ours, floor, floorName: 'docker exec', goal: 1 / 12 }));
}

async function streamedOut(scope, { service, container }, bytes) {
  const ours = () => streamed(service, 'output', printing(bytes), { timeout: 60 });
  const [our, floor] = await throughputs(scope, bytes, container, () => timed(async () => exactly(await ours(), bytes)));
  scope.row(rateRow({ what: '64 MiB streamed', ours: our, floor, floorName: 'docker exec', unit: 'MiB/s', goal: 1 }));
}

/**
 * Measures output of which the answer holds only the beginning and the end. The service still reads
 * all of it from the command.
 */
async function collected(scope, { service, container }, bytes) {
  const before = residentBytes(service.pids[0]);
  const cut = async () => {
    const { truncated } = await execute(service, 'output', printing(bytes), { timeout: 60 });
    if (!truncated) throw new Error('50 MB were not cut');
  };
  const [our, floor] = await throughputs(scope, bytes, container, () => timed(cut));
  const grown = mebibytes(residentBytes(service.pids[0]) - before);
  scope.row(rateRow({ what: '50 MB printed, the answer cut', ours: our, floor, floorName: 'docker exec', unit: 'MiB/s' }));
  scope.row(boundRow({ what: 'growth of the API meanwhile', value: grown, unit: 'MiB', goal: 64 }));
}

/** Measures in turns. `ours` returns the milliseconds of one call. */
async function throughputs(scope, bytes, container, ours) {
  const theirs = async () => exactly(await plainExec(container, ['sh', '-c', printing(bytes)]), bytes);
  const sides = [
    { perRound: 1, call: ours },
    { perRound: 1, call: () => timed(theirs) },
  ];
  const times = await interleaved(scope.pick(4, 1), ...sides, 'returned');
  return times.map(({ rounds }) => ratesOf(rounds.map(({ p50 }) => (1000 * mebibytes(bytes)) / p50)));
}

/**
 * Measures the raw output of a job: of one that has ended, and of one that is followed from its
 * start. The job keeps all of it, as the floor's reader gets all of it.
 */
async function jobOutput(scope, bytes) {
  const service = await scope.start({ env: { JOB_MAX_OUTPUT_BYTES: String(bytes) } });
  const { container_id: container } = await execute(service, 'output', 'true');
  const jobs = sessionPath('output', '/jobs');
  const start = async () => `${jobs}/${(await callJson(201, service, 'POST', jobs, { command: printing(bytes) })).job_id}`;
  const read = async (job) => {
    const raw = { headers: { Accept: 'application/octet-stream' }, keep: false };
    exactly(await expectStatus(200, service, 'GET', `${job}/output`, raw), bytes);
  };
  const remove = (job) => expectStatus(204, service, 'DELETE', job);
  const row = ([ours, floor], what, goal) => scope.row(rateRow({ what, ours, floor, floorName: 'docker exec', unit: 'MiB/s', goal }));

  const ended = await start();
  while ((await callJson(200, service, 'GET', ended)).state === 'running') await sleep(50);
  row(await throughputs(scope, bytes, container, () => timed(() => read(ended))), '64 MiB of a job’s raw output', 1.5);
  await remove(ended);
  const follow = async () => {
    let job;
    const took = await timed(async () => read((job = await start())));
    await remove(job);
    return took;
  };
  row(await throughputs(scope, bytes, container, follow), 'the same, with its start, while it is written');
}

async function healthMeanwhile(scope, { service }) {
  let going = true;
  const loud = execute(service, 'output', 'head -c 200M /dev/zero', { timeout: 60 }).finally(() => (going = false));
  const times = [];
  while (going) times.push(await timed(() => expectStatus(200, service, 'GET', '/health')));
  await loud;
  const { p50, p99 } = percentiles(times);
  const more = ` (p99; p50 ${p50.toFixed(2)} ms)`;
  scope.row(boundRow({ what: 'GET /health while a command prints 200 MB', value: p99, unit: 'ms', goal: 100, more }));
}

function exactly(counted, bytes) {
  if (counted.bytes !== bytes) throw new Error(`${counted.bytes} bytes of ${bytes}`);
}
