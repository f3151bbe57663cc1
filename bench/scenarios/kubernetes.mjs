import { deleteSession, execute, expectStatus, sessionPath } from '../client.mjs';
import { clusterSettings, kubectlExec, settled, startBenchCluster } from '../cluster.mjs';
import { bareExec } from '../cluster-exec.mjs';
import { countRequests, cpuText, watchLoad } from '../cluster-load.mjs';
import { clearNamespace, floorPod, podNameOf, podsToReady, removeFloorPods, withoutInit } from '../cluster-pods.mjs';
import { mebibytes, rateRow, timeRow, timesText } from '../figures.mjs';
import { inParallel, interleaved, percentiles, ratesOf, timed, timesOf, withWidth } from '../measure.mjs';
import { fullPool, poolOf } from '../pool.mjs';
import { WARM_SESSIONS, warmSession } from '../scenario-run.mjs';

export const name = 'kubernetes';
export const title = 'Sandboxes on a Kubernetes cluster of two nodes';

const NODES = 2;
const TRUE = ['true'];
const POOL_SIZE = 4;
const AT_ONCE = 50;
/** How many sandboxes the API makes at a time, as in deploy/kubernetes. */
const WIDTH = '16';
const BYTES = 64 * 2 ** 20;
const RAW = { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' };
/** Enough room for a file and its replacement at the same time. */
const ROOM = { WORKSPACE_MAX_FILE_SIZE_BYTES: '0', CONTAINER_TMPFS_WORKSPACE_SIZE: '512m', CONTAINER_MEM_LIMIT: '1g' };
const POD_READY = 'a pod like it, created until Ready';

export async function run(scope) {
  const cluster = await startBenchCluster(NODES);
  try {
    await withService(scope, cluster, {}, async (service) => {
      await warmCommands(scope, cluster, service);
      await withoutPool(scope, cluster, service);
      await countLives(scope, cluster, service);
    });
    await withService(scope, cluster, { POOL_SIZE: String(POOL_SIZE) }, (service) => withPool(scope, cluster, service));
    await burst(scope, cluster);
    await withService(scope, cluster, ROOM, (service) => files(scope, cluster, service));
  } finally {
    await cluster.stop();
  }
}

async function withService(scope, cluster, env, work) {
  const service = await scope.start({ warm: true, env: { ...clusterSettings(cluster), ...env } });
  await work(service);
  await service.stop();
  await clearNamespace(cluster);
}

async function warmCommands(scope, cluster, service) {
  const pod = await podNameOf(cluster, service.containers[0]);
  const ours = { perRound: 50, call: () => execute(service, warmSession(0), 'true') };
  for (const [floorName, call, goal] of [
    ['`kubectl exec`', () => kubectlExec(cluster, pod, TRUE), 1 / 40],
    ['an exec over a WebSocket', () => bareExec(cluster, pod, TRUE), null],
  ]) {
    const [our, floor] = await interleaved(scope.pick(20, 4), ours, { perRound: 5, call });
    scope.row(timeRow({ what: 'warm `true`, 1 at a time', ours: our, floor, floorName, goal }));
  }
}

async function withoutPool(scope, cluster, service) {
  const rounds = scope.pick(15, 3);
  const ours = { perRound: 1, call: (turn) => firstCommand(cluster, service, `cold${turn}`) };
  for (const [floorName, make, goal] of [
    [POD_READY, floorPod, 1.2],
    ['the same without its init container', (...of) => withoutInit(floorPod(...of)), null],
  ]) {
    const floor = { perRound: 1, call: () => podReady(cluster, make(cluster)) };
    const [our, plain] = await interleaved(rounds, ours, floor, 'returned');
    scope.row(timeRow({ what: 'first command, no pod waits for it', ours: our, floor: plain, floorName, goal }));
  }
}

/** @returns the milliseconds of the command alone */
async function firstCommand(cluster, service, session) {
  const time = await timed(() => execute(service, session, 'true'));
  await deleteSession(service, session);
  await settled(cluster, WARM_SESSIONS);
  return time;
}

async function podReady(cluster, pod) {
  const time = await podsToReady(cluster, [pod]);
  await removeFloorPods(cluster);
  return time;
}

/** Counts what sessions cost the API server from their first command to their end. */
async function countLives(scope, cluster, service) {
  const sessions = Array.from({ length: scope.pick(20, 4) }, (_, index) => `life${index}`);
  const counts = await countRequests(cluster, async () => {
    for (const session of sessions) await firstCommand(cluster, service, session);
  });
  const each = Object.entries(counts)
    .map(([kind, count]) => [kind, count / sessions.length])
    .filter(([, count]) => count >= 0.2)
    .sort(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${kind} ${count.toFixed(1)}`);
  scope.note(
    `A session without the pool, from its first command to its removal, caused (requests of all programs, and etcd’s): ${each.join(', ')}.`,
  );
}

async function withPool(scope, cluster, service) {
  const [ours, floor] = [[], []];
  let misses = 0;
  for (let round = -1; round < scope.pick(20, 4); round++) {
    const before = await fullPool(service, POOL_SIZE);
    await settled(cluster, WARM_SESSIONS + POOL_SIZE);
    const time = await timed(() => execute(service, `pooled${round}`, 'true'));
    const hit = (await poolOf(service)).hits > before.hits;
    // Refilling the pool costs the cluster as much as the floor does, so wait until it is over.
    await fullPool(service, POOL_SIZE);
    await deleteSession(service, `pooled${round}`);
    await settled(cluster, WARM_SESSIONS + POOL_SIZE);
    const floorTime = await podReady(cluster, floorPod(cluster));
    if (round < 0) continue;
    if (hit) {
      ours.push([time]);
      floor.push([floorTime]);
    } else misses += 1;
  }
  if (misses > 0) scope.note(`${misses} first commands missed the pool, though it was full; they are not counted.`);
  const [our, plain] = [timesOf(ours), timesOf(floor)];
  const row = timeRow({
    what: `first command, a pod waits for it (POOL_SIZE=${POOL_SIZE})`,
    ours: our,
    floor: plain,
    floorName: POD_READY,
  });
  scope.row({ ...row, goal: 'p50 ≤ 100 ms', met: our.p50 <= 100 });
}

async function burst(scope, cluster) {
  const env = { MAX_CONCURRENT_COMMANDS_PER_USER: '100', CREATE_CONCURRENCY: WIDTH };
  const count = scope.pick(AT_ONCE, 8);
  await withService(scope, cluster, env, async (service) => {
    const [ours, floor, times, refusals] = [[], [], [], []];
    for (let round = 0; round < scope.pick(3, 1); round++) {
      const names = Array.from({ length: count }, (_, index) => `burst${round}-${index}`);
      const answered = times.length;
      const took = await timed(() =>
        inParallel(count, async (index) => {
          try {
            times.push(await timed(() => execute(service, names[index], 'true', { timeout: 120 })));
          } catch (error) {
            refusals.push(error.message.slice(0, 160));
          }
        }),
      );
      ours.push((1000 * (times.length - answered)) / took);
      await withWidth(8, names, (session) => deleteSession(service, session));
      await settled(cluster, WARM_SESSIONS);
      const pods = names.map(() => floorPod(cluster));
      floor.push((1000 * count) / (await podsToReady(cluster, pods)));
      await removeFloorPods(cluster);
    }
    if (refusals.length > 0) scope.note(`Of ${count} at once, ${refusals.length} in all rounds were refused, the first so: ${refusals[0]}`);
    scope.row(
      rateRow({
        what: `first command of ${count} new sessions at once (CREATE_CONCURRENCY=${WIDTH})`,
        ours: ratesOf(ours),
        floor: ratesOf(floor),
        floorName: `${count} pods created at once until all are Ready`,
        unit: 'sessions/s',
        more: times.length === 0 ? '' : `; ${timesText(percentiles(times))}`,
      }),
    );
  });
}

async function files(scope, cluster, service) {
  const bytes = Buffer.alloc(BYTES, 'x');
  const { container_id: container } = await execute(service, 'files', 'true');
  const pod = await podNameOf(cluster, container);
  const path = sessionPath('files', '/workspace/content?path=ours');
  const shell = (script) => ['sh', '-c', script];
  const exactly = (found) => {
    if (found !== bytes.length) throw new Error(`${found} bytes of ${bytes.length}`);
  };
  for (const { way, ours, floor, floorName } of [
    {
      way: 'in',
      ours: () => expectStatus(204, service, 'PUT', path, { body: bytes, headers: RAW }),
      floor: () => bareExec(cluster, pod, shell(`head -c ${bytes.length} > /workspace/theirs`), bytes),
      floorName: 'an exec over a WebSocket of `head -c > file`',
    },
    {
      way: 'out',
      ours: async () => exactly((await expectStatus(200, service, 'GET', path, { headers: RAW, keep: false })).bytes),
      floor: async () => exactly(await bareExec(cluster, pod, ['cat', '/workspace/theirs'])),
      floorName: 'an exec over a WebSocket of `cat file`',
    },
  ]) {
    const [ourLoads, floorLoads] = [[], []];
    const sides = [
      { perRound: 1, call: () => costed(cluster, service, ours, ourLoads) },
      { perRound: 1, call: () => costed(cluster, service, floor, floorLoads) },
    ];
    const times = await interleaved(scope.pick(10, 2), ...sides, 'returned');
    const [our, plain] = times.map(({ rounds }) => ratesOf(rounds.map(({ p50 }) => (1000 * mebibytes(bytes.length)) / p50)));
    scope.row(rateRow({ what: `64 MiB ${way}`, ours: our, floor: plain, floorName, unit: 'MiB/s', goal: 0.9 }));
    scope.note(`CPU time of 64 MiB ${way}, without that of the sandbox: ${cpuText(ourLoads)}; of its floor: ${cpuText(floorLoads)}.`);
  }
}

/** @returns the milliseconds of a call. The CPU time of all programs goes into `loads`. */
async function costed(cluster, { pids }, call, loads) {
  let time;
  const work = async () => (time = await timed(call));
  loads.push(await watchLoad(cluster, { API: pids, client: [process.pid] }, work));
  return time;
}
