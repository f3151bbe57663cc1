import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { Duplex } from 'node:stream';
import { execute, expectStatus } from '../client.mjs';
import { IMAGE, plainExec } from '../engine.mjs';
import { CHANNEL_DIRECTORY } from '../service.mjs';
import { timeRow } from '../figures.mjs';
import { interleaved } from '../measure.mjs';

export const name = 'channel';
export const title = 'Where the time of a warm command goes';

const THROUGH = { direct: 'in its sandbox, over its socket', exec: 'in its sandbox, through the engine' };

const require = createRequire(import.meta.url);
const built = (path) => require(`../../dist/libs/${path}`);
const { AGENT_ARGV: agentArgv } = built('orchestrator/src/channel/agent-source');

export async function run(scope) {
  const service = await scope.shared();
  const { container_id: container } = await execute(service, 'channel', 'true');
  const [channel, agent] = [await openChannel(service, container), await agentAlone()];
  const inTurns = (a, b) => interleaved(scope.pick(20, 6), { perRound: 50, call: a }, { perRound: 50, call: b });
  try {
    const [ours, floor] = await interleaved(
      scope.pick(20, 6),
      { perRound: 50, call: () => channel.run('true') },
      { perRound: 5, call: () => plainExec(container, ['sh', '-c', 'true']) },
    );
    scope.row(timeRow({ what: '`true` over the channel alone: without HTTP, Nest and Redis', ours, floor, floorName: 'docker exec' }));
    const [alone, through] = await inTurns(
      () => agent.run('true'),
      () => channel.run('true'),
    );
    scope.row(
      timeRow({ what: '`true` by the agent alone, over two pipes', ours: alone, floor: through, floorName: THROUGH[channel.transport] }),
    );
    const [health, whole] = await inTurns(
      () => expectStatus(200, service, 'GET', '/health'),
      () => execute(service, 'channel', 'true'),
    );
    scope.row(
      timeRow({ what: 'GET /health: HTTP and Nest alone, and the client', ours: health, floor: whole, floorName: 'POST /execute' }),
    );
  } finally {
    channel.close();
    agent.close();
  }
}

/** Opens a channel of our own into a session's sandbox, beside the service's. */
async function openChannel({ deployment }, container) {
  const env = { DEPLOYMENT: deployment, CONTAINER_IMAGE: IMAGE, SESSION_STORE: 'memory', CHANNEL_DIRECTORY };
  const config = built('config/src').loadConfig(env, { needsAuth: false });
  const runtime = built('orchestrator/src').createDockerRuntime(config);
  const direct = await runtime.listenDirectly(container);
  return commands(await runtime.startProcess(container, agentArgv), '/workspace', direct);
}

/** Starts an agent on the machine itself, in no container. */
function agentAlone() {
  const [program, ...argv] = agentArgv;
  const { stdin, stdout } = spawn(program, argv, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => stdout.once('close', () => resolve({ exitCode: null, stderr: '' })));
  return commands({ stream: Duplex.from({ writable: stdin, readable: stdout }), ended }, '/');
}

async function commands(process, cwd, direct = null) {
  const channel = await built('orchestrator/src/channel/agent-channel').openChannel(process, 'bench', direct);
  const exec = { op: 'exec', shell: 'sh', cwd, env: {}, timeout_ms: 10_000, max_output: 1024, stdin: false };
  return {
    transport: channel.transport,
    run: (command) => channel.sendRequest({ ...exec, command }, { onOutput: () => undefined, deadlineMs: 15_000 }),
    close: () => channel.close(),
  };
}
