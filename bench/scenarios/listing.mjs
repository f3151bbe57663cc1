import { execute, expectStatus, sessionPath } from '../client.mjs';
import { plainExec } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';

export const name = 'listing';
export const title = 'A directory listed';

export async function run(scope) {
  const service = await scope.shared();
  const { container_id: container } = await execute(service, 'listing', 'true');
  const against = async (what, call, floorName, argv, goal = null) => {
    const sides = [
      { perRound: 3, call },
      { perRound: 3, call: () => plainExec(container, argv) },
    ];
    const [ours, floor] = await interleaved(scope.pick(10, 4), ...sides);
    scope.row(timeRow({ what, ours, floor, floorName, goal }));
  };
  for (const [label, count, goal] of [
    ['1,000 files', 1_000, null],
    ['10,000 files', 10_000, 0.4],
  ]) {
    await execute(service, 'listing', `mkdir d${count}; cd d${count}; seq ${count} | xargs touch`, { timeout: 60 });
    const path = sessionPath('listing', `/workspace?path=d${count}`);
    const list = async () => {
      const { body } = await expectStatus(200, service, 'GET', path);
      if (JSON.parse(body).entries.length !== count) throw new Error('entries are missing');
    };
    await against(label, list, '`docker exec` `ls -l`', ['ls', '-l', `/workspace/d${count}`], goal);
    if (count === 1_000) await against(label, list, '`docker exec` `true`', ['true'], 0.5);
  }
}
