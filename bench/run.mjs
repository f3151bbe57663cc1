// The figures of docs/bench.md: `npm run bench`. Needs a Docker engine, redis-server and the sandbox image (`npm test` sets all up).
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { archives } from './archives.mjs';
import {
  docker,
  dockerRun,
  execute,
  openChannel,
  plainExec,
  plainExecBytes,
  request,
  startService,
  streamedBytes,
} from './environment.mjs';
import { interleaved, percentiles, rate, timed } from './measure.mjs';

/** Until V8 has compiled what a call runs through: a service that has been up for a minute is what is measured. */
const WARM_UP_CALLS = 6_000;
const MIB = 1024 * 1024;
const rows = [];

function row(what, figure, floor, ratio, goal, met) {
  rows.push({ what, figure, floor, ratio, goal, met });
  console.log(`${met ? 'ok  ' : 'MISS'} ${what}: ${figure} against ${floor}: ${ratio} (goal ${goal})`);
}

const ms = (value) => `${value.toFixed(2)} ms`;
const spread = ({ p50, p95, p99 }) => `p50 ${p50.toFixed(2)}, p95 ${p95.toFixed(2)}, p99 ${p99.toFixed(2)} ms`;
const workspace = (session, path) => `/sessions/${session}/workspace/content?path=${path}`;
const RAW = { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' };

async function warmUp(service) {
  let calls = 0;
  const client = async (session) => {
    while (calls++ < WARM_UP_CALLS) await execute(service, session, 'true');
  };
  await Promise.all(Array.from({ length: 8 }, (_, i) => client(`eight${i}`)));
}

async function warm(service) {
  const { container_id } = await execute(service, 'warm', 'true');
  const [ours, plain] = await interleaved(
    20,
    { perRound: 50, call: () => execute(service, 'warm', 'true') },
    { perRound: 5, call: () => plainExec(container_id, ['sh', '-c', 'true']) },
  );
  const ratio = plain.p50 / ours.p50;
  row('warm `true`, one at a time', spread(ours), `docker exec ${spread(plain)}`, `1/${ratio.toFixed(1)}`, 'p50 ≤ 1/20', ratio >= 20);
}

/** The same command with HTTP, Nest and Redis left out: what of a call is the sandbox and the way into it. */
async function channelAlone(service) {
  const { container_id } = await execute(service, 'channel', 'true');
  const channel = await openChannel(container_id);
  const [ours, plain] = await interleaved(
    20,
    { perRound: 50, call: () => channel.run('true') },
    { perRound: 5, call: () => plainExec(container_id, ['sh', '-c', 'true']) },
  );
  channel.close();
  const ratio = plain.p50 / ours.p50;
  row('the same through the channel alone', spread(ours), `docker exec ${spread(plain)}`, `1/${ratio.toFixed(1)}`, 'none', true);
}

async function eightSessions(service) {
  const containers = [];
  for (let i = 0; i < 8; i++) containers.push((await execute(service, `eight${i}`, 'true')).container_id);
  const ours = [];
  const plain = [];
  for (let round = 0; round < 3; round++) {
    ours.push(await rate(8, 4, (worker) => execute(service, `eight${worker}`, 'true')));
    plain.push(await rate(8, 4, (worker) => plainExec(containers[worker], ['sh', '-c', 'true'])));
  }
  const [our, floor] = [percentiles(ours).p50, percentiles(plain).p50];
  row(
    '8 sessions, 8 at a time',
    `${our.toFixed(0)}/s`,
    `docker exec ${floor.toFixed(0)}/s`,
    `${(our / floor).toFixed(1)} times`,
    '≥ 15 times',
    our >= 15 * floor,
  );
}

async function cold(service) {
  const [ours, plain] = await interleaved(
    15,
    { perRound: 1, call: (i) => execute(service, `cold${i}`, 'true') },
    { perRound: 1, call: dockerRun },
  );
  const ratio = ours.p50 / plain.p50;
  row(
    'first command in a new session',
    spread(ours),
    `docker run --rm --network none true ${spread(plain)}`,
    `${ratio.toFixed(2)} times`,
    '≤ 1.3 times',
    ratio <= 1.3,
  );
  for (let i = 0; i <= 15; i++) await request(service, 'DELETE', `/sessions/cold${i}`);
}

/** Until the first byte of a command's output is here, of one that goes on: streamed, and by a plain exec's stream. */
async function firstByte(service) {
  const { container_id } = await execute(service, 'stream', 'true');
  const command = 'printf x; exec sleep 0.2';
  const [ours, plain] = await interleaved(
    20,
    { perRound: 3, call: () => streamedBytes(service, 'stream', command, 1) },
    { perRound: 3, call: () => plainExecBytes(container_id, ['sh', '-c', command], 1) },
    'returned',
  );
  const ratio = plain.p50 / ours.p50;
  row('first byte of a stream', spread(ours), `docker exec ${spread(plain)}`, `1/${ratio.toFixed(1)}`, 'p50 ≤ 1/10', ratio >= 10);
}

async function streamedThroughput(service) {
  const { container_id } = await execute(service, 'stream', 'true');
  const bytes = 64 * MIB;
  const command = `head -c ${bytes} /dev/zero | tr '\\0' 'x'`;
  const rates = { ours: [], plain: [] };
  for (let round = 0; round < 3; round++) {
    rates.ours.push(bytes / MIB / ((await timed(() => streamedBytes(service, 'stream', command, bytes, { timeout: 60 }))) / 1000));
    rates.plain.push(bytes / MIB / ((await timed(() => plainExecBytes(container_id, ['sh', '-c', command], bytes))) / 1000));
  }
  const [our, floor] = [percentiles(rates.ours).p50, percentiles(rates.plain).p50];
  row(
    'output streamed out of a sandbox',
    `${our.toFixed(0)} MB/s`,
    `docker exec ${floor.toFixed(0)} MB/s`,
    `${(our / floor).toFixed(2)} times`,
    '≥ 1 times',
    our >= floor,
  );
}

async function files(service) {
  const { container_id } = await execute(service, 'files', 'true');
  const bytes = Buffer.alloc(MIB, 'x');
  const put = async () => {
    const { status } = await request(service, 'PUT', workspace('files', 'f'), bytes, RAW);
    if (status !== 204) throw new Error(`PUT: ${status}`);
  };
  const get = async () => {
    const { status, body } = await request(service, 'GET', workspace('files', 'f'), undefined, RAW);
    if (status !== 200 || body.length !== MIB) throw new Error(`GET: ${status}`);
  };
  const plain = { perRound: 3, call: () => plainExec(container_id, ['sh', '-c', 'true']) };
  for (const [what, call] of [
    ['write 1 MiB', put],
    ['read 1 MiB', get],
  ]) {
    const [ours, floor] = await interleaved(10, { perRound: 5, call }, plain);
    row(what, spread(ours), `docker exec true p50 ${ms(floor.p50)}`, `${(ours.p50 / floor.p50).toFixed(2)}`, '< 1', ours.p50 < floor.p50);
  }
  await execute(service, 'files', 'mkdir many; cd many; seq 1 1000 | xargs touch');
  const list = async () => {
    const { status, body } = await request(service, 'GET', '/sessions/files/workspace?path=many');
    if (status !== 200 || JSON.parse(body).entries.length !== 1000) throw new Error(`list: ${status}`);
  };
  const [ours, floor] = await interleaved(10, { perRound: 5, call: list }, plain);
  row(
    'list 1,000 files',
    spread(ours),
    `docker exec true p50 ${ms(floor.p50)}`,
    `${(ours.p50 / floor.p50).toFixed(2)}`,
    '< 0.5',
    ours.p50 < floor.p50 / 2,
  );
}

async function healthUnderOutput(service) {
  await execute(service, 'loud', 'true');
  let going = true;
  const loud = execute(service, 'loud', 'head -c 200M /dev/zero', { timeout: 60 }).finally(() => (going = false));
  const times = [];
  while (going) times.push(await timed(() => request(service, 'GET', '/health')));
  await loud;
  const figures = percentiles(times);
  row('/health while a command prints 200 MB', spread(figures), 'none', '', 'p99 < 100 ms', figures.p99 < 100);
}

const { ServerVersion, KernelVersion, CgroupVersion } = await docker.info();
const machine = `${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; Linux ${KernelVersion}; Docker ${ServerVersion} (cgroup v${CgroupVersion}); Node ${process.version}`;
console.log(machine);
const service = await startService();
try {
  const archiving = (at) => archives(at, row);
  for (const scenario of [
    warmUp,
    warm,
    channelAlone,
    eightSessions,
    cold,
    firstByte,
    streamedThroughput,
    files,
    archiving,
    healthUnderOutput,
  ])
    await scenario(service);
} finally {
  await service.stop();
}

writeFileSync(
  'docs/bench.md',
  `# Bench

Written by \`npm run bench\`: the built service with its default limits, Redis store, authentication and rate limiting on (the limit raised),
against plain \`docker exec\` by dockerode in the same run, in turns, after ${WARM_UP_CALLS} calls that do not count (V8 compiles the code meanwhile). Read the ratios; the times are this machine's. The client shares the
machine's cores with the service, the engine and the sandboxes.

Machine: ${machine}

| what | figure | floor in the same run | ratio | goal | met |
|---|---|---|---|---|---|
${rows.map(({ what, figure, floor, ratio, goal, met }) => `| ${what} | ${figure} | ${floor} | ${ratio} | ${goal} | ${goal === 'none' ? '' : met ? 'yes' : 'no'} |`).join('\n')}
`,
);
