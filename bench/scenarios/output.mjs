import { execute, expectStatus, streamed } from '../client.mjs';
import { plainExec } from '../engine.mjs';
import { boundRow, mebibytes, rateRow, timeRow } from '../figures.mjs';
import { interleaved, percentiles, timed } from '../measure.mjs';
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
  const [our, floor] = await throughputs(scope, bytes, container, async () => exactly(await ours(), bytes));
  scope.row(rateRow({ what: '64 MiB streamed', ours: our, floor, floorName: 'docker exec', unit: 'MiB/s', goal: 1 }));
}

/**
 * Measures output of which the answer holds only the beginning and the end. The service still reads
 * all of it from the command.
 */
async function collected(scope, { service, container }, bytes) {
  const before = residentBytes(service.pids[0]);
  const [our, floor] = await throughputs(scope, bytes, container, async () => {
    const { truncated } = await execute(service, 'output', printing(bytes), { timeout: 60 });
    if (!truncated) throw new Error('50 MB were not cut');
  });
  const grown = mebibytes(residentBytes(service.pids[0]) - before);
  scope.row(rateRow({ what: '50 MB printed, the answer cut', ours: our, floor, floorName: 'docker exec', unit: 'MiB/s' }));
  scope.row(boundRow({ what: 'growth of the API meanwhile', value: grown, unit: 'MiB', goal: 64 }));
}

async function throughputs(scope, bytes, container, ours) {
  const theirs = async () => exactly(await plainExec(container, ['sh', '-c', printing(bytes)]), bytes);
  const sides = [
    { perRound: 1, call: ours },
    { perRound: 1, call: theirs },
  ];
  const times = await interleaved(scope.pick(4, 1), ...sides);
  return times.map(({ p50 }) => (1000 * mebibytes(bytes)) / p50);
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
