import { callJson, deleteSession } from '../client.mjs';
import { createAndRemove } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';

export const name = 'sessions';
export const title = 'A session made and deleted';

export async function run(scope) {
  const service = await scope.shared();
  const [ours, floor] = await interleaved(
    scope.pick(15, 4),
    {
      perRound: 1,
      call: async (i) => {
        await callJson(200, service, 'POST', '/sessions', { session_id: `brief${i}` });
        await deleteSession(service, `brief${i}`);
      },
    },
    { perRound: 1, call: createAndRemove },
  );
  scope.row(timeRow({ what: 'POST /sessions and DELETE', ours, floor, floorName: 'the engine’s create, start and remove' }));
}
