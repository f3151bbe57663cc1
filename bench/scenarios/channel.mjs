import { createRequire } from 'node:module';
import { execute } from '../client.mjs';
import { IMAGE, plainExec } from '../engine.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';

export const name = 'channel';
export const title = 'The channel alone: a command with HTTP, Nest and Redis left out';

const require = createRequire(import.meta.url);
const built = (path) => require(`../../dist/libs/${path}`);

export async function run(scope) {
  const service = await scope.shared();
  const { container_id: container } = await execute(service, 'channel', 'true');
  const channel = await openChannel(service, container);
  try {
    const [ours, floor] = await interleaved(
      scope.pick(20, 6),
      { perRound: 50, call: () => channel.run('true') },
      { perRound: 5, call: () => plainExec(container, ['sh', '-c', 'true']) },
    );
    scope.row(timeRow({ what: '`true`, 1 at a time', ours, floor, floorName: 'docker exec' }));
  } finally {
    channel.close();
  }
}

/** One of our own into a session's sandbox, beside the service's. */
async function openChannel({ deployment }, container) {
  const env = { DEPLOYMENT: deployment, CONTAINER_IMAGE: IMAGE, SESSION_STORE: 'memory' };
  const config = built('config/src').loadConfig(env, { needsAuth: false });
  const runtime = built('orchestrator/src').createDockerRuntime(config);
  const { AGENT_ARGV } = built('orchestrator/src/channel/agent-source');
  const channel = await built('orchestrator/src/channel/exec-channel').openChannel(await runtime.exec(container, AGENT_ARGV, []));
  const exec = { op: 'exec', shell: 'sh', cwd: '/workspace', env: {}, timeout_ms: 10_000, max_output: 1024, stdin: false };
  return {
    run: (command) => channel.call({ ...exec, command }, { onOutput: () => undefined, deadlineMs: 15_000 }),
    close: () => channel.close(),
  };
}
