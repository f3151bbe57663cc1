import { execute } from '../client.mjs';
import { docker, plainExec } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';
import { warmSession } from '../scenario-run.mjs';

export const name = 'gvisor';
export const title = 'Sandboxes under gVisor';

const RUNTIME = 'runsc';

export async function run(scope) {
  const { Runtimes } = await docker.info();
  if (!Runtimes?.[RUNTIME]) {
    scope.note(`\`${RUNTIME}\` is not registered with this engine: not measured.`);
    return;
  }
  const service = await scope.start({ warm: true, env: { CONTAINER_RUNTIME: RUNTIME } });
  const [ours, floor] = await interleaved(
    scope.pick(20, 5),
    { perRound: 20, call: () => execute(service, warmSession(0), 'true') },
    { perRound: 3, call: () => plainExec(service.containers[0], ['sh', '-c', 'true']) },
  );
  scope.row(timeRow({ what: 'warm `true`, 1 at a time', ours, floor, floorName: 'docker exec, under gVisor too' }));
}
