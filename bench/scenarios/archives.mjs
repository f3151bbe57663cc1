import { randomBytes } from 'node:crypto';
import { execute, expectStatus, sessionPath } from '../client.mjs';
import { plainExec } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { timed, timesOf } from '../measure.mjs';

export const name = 'archives';
export const title = 'Ten thousand small files in and out, as one tar';

const TAR = { 'Content-Type': 'application/x-tar' };
const LEAST_BYTES = 10_000 * 1024;
const GOALS = { in: 0.6, out: 0.7 };
const path = (directory) => sessionPath('archives', `/workspace/archive?path=${directory}`);

export async function run(scope) {
  const service = await scope.shared();
  const { container_id: container } = await execute(service, 'archives', 'true');
  const bytes = await tarOfManyFiles(service, container);
  const emptied = () => execute(service, 'archives', 'rm -rf ours theirs; mkdir theirs', { timeout: 60 });
  const ways = {
    in: [
      async () => {
        const { body } = await expectStatus(200, service, 'PUT', path('ours'), { body: bytes, headers: TAR });
        if (JSON.parse(body).entries < 10_000) throw new Error(`PUT: ${body}`);
      },
      () => plainExec(container, ['tar', '-xf', '-', '-C', '/workspace/theirs'], { stdin: bytes }),
    ],
    out: [
      async () => atLeast(await expectStatus(200, service, 'GET', path('made'), { keep: false })),
      async () => atLeast(await plainExec(container, ['tar', '-cf', '-', '-C', '/workspace/made', '.'])),
    ],
  };
  const times = { in: [[], []], out: [[], []] };
  for (let round = -1; round < scope.pick(8, 2); round++) {
    await emptied();
    for (const [way, sides] of Object.entries(ways)) {
      for (const [index, call] of sides.entries()) {
        const time = await timed(call);
        if (round >= 0) times[way][index].push([time]);
      }
    }
  }
  for (const [way, goal] of Object.entries(GOALS)) {
    const [ours, floor] = times[way].map(timesOf);
    scope.row(timeRow({ what: `tar of 10,000 files ${way}`, ours, floor, floorName: '`docker exec` `tar`', goal }));
  }
  await execute(service, 'archives', 'rm -rf ours theirs made', { timeout: 60 });
}

/** Makes a hundred directories of a hundred files of 200 bytes, and a tar of them with tar(1). */
async function tarOfManyFiles(service, container) {
  const content = randomBytes(100).toString('hex');
  const script = `mkdir made && cd made && for d in $(seq 100); do mkdir d$d; for f in $(seq 100); do echo ${content} > d$d/f$f; done; done`;
  await execute(service, 'archives', script, { timeout: 120 });
  const { output } = await plainExec(container, ['tar', '-cf', '-', '-C', '/workspace/made', '.'], { keep: true });
  return output;
}

function atLeast({ bytes }) {
  if (bytes < LEAST_BYTES) throw new Error(`an archive of ${bytes} bytes`);
}
