import { execute, expectStatus, sessionPath } from '../client.mjs';
import { docker, plainExec } from '../engine.mjs';
import { mebibytes, rateRow, timeRow } from '../figures.mjs';
import { interleaved, ratesOf, timed } from '../measure.mjs';
import { cgroupCpuSeconds, cpuSeconds, residentBytes } from '../processes.mjs';

export const name = 'files';
export const title = 'A file written and read, whole';

const MIB = 2 ** 20;
const RAW = { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' };
/** Enough room for a file and its replacement at the same time. */
const ROOM = { WORKSPACE_MAX_FILE_SIZE_BYTES: '0', CONTAINER_TMPFS_WORKSPACE_SIZE: '512m', CONTAINER_MEM_LIMIT: '1g' };
const WAYS = [
  { way: 'in', floorName: '`docker exec` `cat > file`', largeGoal: 1.5 },
  { way: 'out', floorName: '`docker exec` `cat file`', largeGoal: 2 },
];

export async function run(scope) {
  const service = await scope.start({ warm: true, env: ROOM });
  const { container_id: container } = await execute(service, 'files', 'true');
  const place = { service, container };
  await small(scope, place, '1 KiB', Buffer.alloc(1024, 'x'), scope.pick(10, 4), null);
  await small(scope, place, '1 MiB', Buffer.alloc(MIB, 'x'), scope.pick(10, 4), 1);
  await large(scope, place, Buffer.alloc(100 * MIB, 'x'));
}

async function small(scope, place, size, bytes, rounds, goal) {
  for (const { way, floorName } of WAYS) {
    const [our, plain] = calls(place, bytes)[way];
    const [ours, floor] = await interleaved(rounds, { perRound: 5, call: our }, { perRound: 3, call: plain });
    scope.row(timeRow({ what: `${size} ${way}`, ours, floor, floorName, goal }));
  }
}

async function large(scope, place, bytes) {
  const before = residentBytes(place.service.pids[0]);
  const groups = [];
  for (const { way, floorName, largeGoal: goal } of WAYS) {
    const [our, plain] = calls(place, bytes)[way].map((call) => costed(place, call));
    for (let round = -1; round < scope.pick(5, 1); round++) {
      for (const side of [our, plain]) await side.run(round >= 0);
    }
    const [ours, floor] = [our, plain].map(({ times }) => ratesOf(times.map((time) => (1000 * mebibytes(bytes.length)) / time)));
    groups.push({ name: `100 MiB ${way}`, values: [ours.rate, floor.rate] });
    scope.row(rateRow({ what: `100 MiB ${way}`, ours, floor, floorName, unit: 'MiB/s', goal }));
    scope.note(`CPU time of 100 MiB ${way}: ${costs(our)}; of its floor: ${costs(plain)}.`);
  }
  const after = residentBytes(place.service.pids[0]);
  scope.note(
    `Resident memory of the API: ${mebibytes(before).toFixed(0)} MiB before the 100 MiB files, ${mebibytes(after).toFixed(0)} after.`,
  );
  scope.chart({
    file: 'files.svg',
    kind: 'bars',
    title: 'A file of 100 MiB',
    unit: 'MiB/s',
    names: ['sandbox-api', 'docker exec cat'],
    groups,
  });
}

/** Makes our call and the floor's call, in both directions. */
function calls({ service, container }, bytes) {
  const path = sessionPath('files', '/workspace/content?path=ours');
  const exactly = (answer) => {
    if (answer.bytes !== bytes.length) throw new Error(`${answer.bytes} bytes of ${bytes.length}`);
  };
  return {
    in: [
      () => expectStatus(204, service, 'PUT', path, { body: bytes, headers: RAW }),
      () => plainExec(container, ['sh', '-c', 'cat > theirs'], { stdin: bytes }),
    ],
    out: [
      async () => exactly(await expectStatus(200, service, 'GET', path, { headers: RAW, keep: false })),
      async () => exactly(await plainExec(container, ['cat', 'theirs'])),
    ],
  };
}

/**
 * Makes a call that measures its time, and the CPU time of the API, the sandbox and this client.
 */
function costed({ service, container }, call) {
  const side = { times: [], cpu: { api: 0, sandbox: 0, client: 0 } };
  side.run = async (counts) => {
    const { State } = await docker.getContainer(container).inspect();
    const read = () => {
      const { user, system } = process.cpuUsage();
      return { api: cpuSeconds(service.pids[0]), sandbox: cgroupCpuSeconds(State.Pid), client: (user + system) / 1e6 };
    };
    const before = read();
    const time = await timed(call);
    if (!counts) return;
    const after = read();
    side.times.push(time);
    for (const part of Object.keys(side.cpu)) side.cpu[part] += after[part] - before[part];
  };
  return side;
}

const costs = ({ times, cpu }) =>
  Object.entries(cpu)
    .map(([part, seconds]) => `${part} ${(seconds / times.length).toFixed(2)} s`)
    .join(', ');
