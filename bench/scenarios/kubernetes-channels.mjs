import { execute } from '../client.mjs';
import { clusterSettings, settled, startBenchCluster } from '../cluster.mjs';
import { watchPods } from '../cluster-calls.mjs';
import { closeAll, idleExecs } from '../cluster-exec.mjs';
import { costText, idleLoad, liveMemory, watchLoad } from '../cluster-load.mjs';
import { clearNamespace, floorPod, listOf, podsToReady, touchPod } from '../cluster-pods.mjs';
import { boundRow, mebibytes, timeRow } from '../figures.mjs';
import { percentiles, timed, timesOf, withWidth } from '../measure.mjs';
import { availableBytes } from '../processes.mjs';
import { warmSession } from '../scenario-run.mjs';
import { fill, keepOneWarmSession } from './density.mjs';

export const name = 'kubernetes-channels';
export const title = 'What idle sessions cost a Kubernetes cluster: channels, pods and watches';

/** As many as hold 500 pods: the scheduler sets a hundredth of a core aside for each. */
const NODES = 3;
/** Small, because the scheduler sets it aside for each pod, and all nodes are this machine. */
const POD = { CONTAINER_MEM_LIMIT: '96m', CONTAINER_TMPFS_WORKSPACE_SIZE: '32m', CONTAINER_TMPFS_TMP_SIZE: '16m' };
/** What a pod takes of the machine, and what has to stay free. */
const ROOM = { each: 30 * 2 ** 20, left: 2 * 2 ** 30 };
const EXECS = { pods: 4, each: 50 };
const WATCHES = 200;
const CHANGES = 300;
const COUNTS = { full: [100, 250, 500], quick: [10, 20] };
/** The sessions among which the commands go round. */
const USED = 50;

export async function run(scope) {
  const cluster = await startBenchCluster(NODES);
  try {
    const service = await scope.start({ warm: true, env: { ...clusterSettings(cluster), ...POD, SESSION_TTL_SECONDS: '7200' } });
    await keepOneWarmSession(service);
    await execs(scope, cluster, service);
    await watches(scope, cluster, service);
    await sessions(scope, cluster, service);
    await service.stop();
    // To stop the cluster would end hundreds of containers the hard way.
    await clearNamespace(cluster);
  } finally {
    await cluster.stop();
  }
}

const others = ({ pids }) => ({ API: pids });
const idle = (scope, cluster, service) => idleLoad(cluster, others(service), scope.pick(60_000, 10_000));

const liveText = (before, after, count) =>
  `the API server held ${((1024 * (after.live - before.live)) / count).toFixed(0)} KiB more for each`;

/** Channels alone: many in few pods, without the service and the agent. */
async function execs(scope, cluster, service) {
  const pods = Array.from({ length: EXECS.pods }, () => floorPod(cluster, POD));
  await podsToReady(cluster, pods);
  await settled(cluster, 1 + pods.length);
  const before = { live: await liveMemory(cluster), idle: await idle(scope, cluster, service) };
  const names = pods.flatMap(({ metadata }) => Array.from({ length: scope.pick(EXECS.each, 5) }, () => metadata.name));
  const sockets = await idleExecs(cluster, names);
  const after = { live: await liveMemory(cluster), idle: await idle(scope, cluster, service) };
  closeAll(sockets);
  scope.note(
    `Each of ${names.length} idle channels (of \`cat\`, with a frame each 15 s and a ping each 20 s) cost: ${costText(before.idle, after.idle, names.length)}; ${liveText(before, after, names.length)}.`,
  );
}

/** Watches like that of an API process, of as many pods as there are. */
async function watches(scope, cluster, service) {
  const pod = floorPod(cluster, POD);
  await podsToReady(cluster, [pod]);
  const change = async () => {
    const changes = Array.from({ length: scope.pick(CHANGES, 30) }, (_, index) => String(index));
    await withWidth(4, changes, (text) => touchPod(cluster, pod.metadata.name, `${text}-${performance.now()}`));
  };
  await change();
  const live = await liveMemory(cluster);
  const before = { live, idle: await idle(scope, cluster, service), busy: await watchLoad(cluster, others(service), change) };
  const count = scope.pick(WATCHES, 20);
  let [events, bytes] = [0, 0];
  const ends = [];
  for (let index = 0; index < count; index++) {
    ends.push(
      await watchPods(cluster, '', (_event, length) => {
        events += 1;
        bytes += length;
      }),
    );
  }
  const after = { live: await liveMemory(cluster), idle: await idle(scope, cluster, service) };
  [events, bytes] = [0, 0];
  const busyAfter = await watchLoad(cluster, others(service), change);
  for (const end of ends) end();
  const each = (1000 * (busyAfter.apiserver.ms - before.busy.apiserver.ms)) / events;
  scope.note(`Each of ${count} idle watches cost: ${costText(before.idle, after.idle, count)}; ${liveText(before, after, count)}.`);
  scope.note(
    `Each event that a watch told of had ${(bytes / events / 1024).toFixed(1)} KiB and cost the API server ${each.toFixed(0)} µs (${events} events).`,
  );
}

async function sessions(scope, cluster, service) {
  const most = Math.floor((availableBytes() - ROOM.left) / ROOM.each);
  const counts = scope.pick(COUNTS.full, COUNTS.quick).filter((count) => count <= most);
  if (counts.length === 0) throw new Error(`the machine has room for ${most} pods only`);
  const open = [{ session: warmSession(0), container: service.containers[0] }];
  const empty = await look(scope, cluster, service, open);
  for (const count of counts) {
    await fill(service, open, count);
    const now = await look(scope, cluster, service, open);
    report(scope, empty, now);
    await lists(scope, cluster, service, now);
  }
}

async function look(scope, cluster, service, open) {
  const [live, load] = [await liveMemory(cluster), await idle(scope, cluster, service)];
  const available = availableBytes();
  const warm = await warmTimes(scope, service, open);
  return { count: open.length, live, load, available, warm };
}

async function warmTimes(scope, service, open) {
  const rounds = [];
  for (let round = 0; round < scope.pick(10, 2); round++) {
    const used = Array.from({ length: USED }, (_, turn) => open[turn % open.length].session);
    const times = [];
    for (const session of used) times.push(await timed(() => execute(service, session, 'true')));
    rounds.push(times);
  }
  return timesOf(rounds);
}

function report(scope, empty, now) {
  const more = now.count - empty.count;
  const [before, after] = [empty.load.API.mib, now.load.API.mib];
  const each = (1024 * (after - before)) / more;
  const text = ` (${before.toFixed(0)} with one); ${each.toFixed(0)} KiB each`;
  scope.row(boundRow({ what: `memory of the API with ${now.count} channels`, value: after, unit: 'MiB', more: text }));
  const fell = mebibytes(empty.available - now.available) / more;
  scope.row(boundRow({ what: `memory of the machine for each of ${now.count} pods, with all that serves them`, value: fell, unit: 'MiB' }));
  scope.row(
    timeRow({ what: `warm \`true\` with ${now.count} sessions`, ours: now.warm, floor: empty.warm, floorName: 'with one session' }),
  );
  scope.note(
    `Each of ${now.count} idle sessions, pod and channel, cost: ${costText(empty.load, now.load, more)}; ${liveText(empty, now, more)}.`,
  );
}

/** What a list costs the API server, which looks at all pods for it. */
async function lists(scope, cluster, service, { count, load }) {
  const ofDeployment = `sandbox-api.deployment=${service.deployment}`;
  const ofSession = { labelSelector: `${ofDeployment},sandbox-api.session=none` };
  for (const [what, query] of [
    ['of one session’s pods', ofSession],
    ['of the same, from the cache of the API server', { ...ofSession, resourceVersion: '0' }],
    ['of all', { labelSelector: ofDeployment }],
  ]) {
    const times = [];
    let bytes = 0;
    const busy = await watchLoad(cluster, others(service), async () => {
      for (let turn = 0; turn < scope.pick(50, 5); turn++) times.push(await timed(async () => (bytes = await listOf(cluster, query))));
    });
    const cost = (program) => (busy[program].ms - load[program].rate * busy[program].seconds) / times.length;
    scope.note(
      `A list ${what} among ${count} pods: p50 ${percentiles(times).p50.toFixed(1)} ms, ${cost('apiserver').toFixed(1)} ms of the API server’s CPU, ${cost('etcd').toFixed(1)} ms of etcd’s, ${(bytes / 1024).toFixed(0)} KiB.`,
    );
  }
}
