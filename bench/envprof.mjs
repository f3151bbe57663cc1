import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';

const require = createRequire(import.meta.url);
export const docker = new Docker();
export const IMAGE = process.env.SANDBOX_TEST_IMAGE ?? 'sandbox-api-agent:latest';
const KEY = randomBytes(16).toString('hex');
const DEPLOYMENT = `bench-${randomBytes(4).toString('hex')}`;
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The built service with its default limits, on a Redis of its own, with authentication and rate limiting on (the limit raised). */
export async function startService(env = {}) {
  const redisPort = await freePort();
  const redis = spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  const port = await freePort();
  const api = spawn(env.NODE ?? process.execPath, [(env.DIST ?? 'dist') + '/apps/api/src/main.js'], {
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: String(port),
      DEPLOYMENT,
      API_KEYS: KEY,
      CONTAINER_IMAGE: IMAGE,
      SESSION_STORE: 'redis',
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redisPort),
      RATE_LIMIT_REQUESTS: '100000000',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const service = { port, pid: api.pid, stop };
  for (let attempt = 0; ; attempt++) {
    try {
      const { status } = await request(service, 'GET', '/ready');
      if (status === 200) return service;
    } catch (error) {
      if (attempt > 200) throw error;
    }
    if (attempt > 200) throw new Error('the service is not ready');
    await sleep(100);
  }

  async function stop() {
    for (const child of [api, redis]) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    const filters = { label: [`sandbox-api.deployment=${DEPLOYMENT}`] };
    for (const { Id } of await docker.listContainers({ all: true, filters })) await docker.getContainer(Id).remove({ force: true });
  }
}

/** One HTTP request over kept-alive connections; a lean client, so that it is the service that is measured. */
export function request({ port }, method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const call = http.request({ port, host: '127.0.0.1', method, path, agent, headers: { 'X-API-Key': KEY, ...headers } }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}

/** POST /execute that has to answer 200 and exit 0. */
export async function execute(service, session, command, more = {}) {
  const answer = await request(service, 'POST', '/execute', JSON.stringify({ session_id: session, command, ...more }), {
    'Content-Type': 'application/json',
  });
  const body = JSON.parse(answer.body);
  if (answer.status !== 200 || body.exit_code !== 0) throw new Error(`${answer.status} ${answer.body.toString().slice(0, 300)}`);
  return body;
}

/** A channel of our own into a session's sandbox, beside the service's. */
export async function openChannel(containerId) {
  const built = (path) => require(`../dist/libs/${path}`);
  const config = built('config/src').loadConfig({ DEPLOYMENT, CONTAINER_IMAGE: IMAGE, SESSION_STORE: 'memory' }, { needsAuth: false });
  const runtime = built('orchestrator/src').createDockerRuntime(config);
  const { AGENT_ARGV } = built('orchestrator/src/channel/agent-source');
  const channel = await built('orchestrator/src/channel/exec-channel').openChannel(await runtime.exec(containerId, AGENT_ARGV, []));
  const exec = { op: 'exec', shell: 'sh', cwd: '/workspace', env: {}, timeout_ms: 10_000, max_output: 1024, stdin: false };
  return {
    run: (command) => channel.call({ ...exec, command }, { onOutput: () => undefined, deadlineMs: 15_000 }),
    close: () => channel.close(),
  };
}

/** The floor: a plain `docker exec` through dockerode, its output read to the end and its exit code asked for. */
export async function plainExec(containerId, argv, stdin) {
  const exec = await docker
    .getContainer(containerId)
    .exec({ Cmd: argv, AttachStdout: true, AttachStderr: true, AttachStdin: stdin !== undefined });
  const stream = await exec.start({ hijack: true, stdin: stdin !== undefined });
  const chunks = [];
  await new Promise((resolve, reject) => {
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', resolve);
    stream.on('error', reject);
    if (stdin !== undefined) stream.end(stdin);
  });
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`docker exec: ${ExitCode}`);
  return Buffer.concat(chunks);
}

/** The floor of a first command: the engine calls of `docker run --rm --network none IMAGE true`. (With Docker's default network it is slower.) */
export async function dockerRun() {
  const container = await docker.createContainer({ Image: IMAGE, Cmd: ['true'], HostConfig: { NetworkMode: 'none', AutoRemove: true } });
  const removed = container.wait({ condition: 'removed' });
  await container.start();
  const { StatusCode } = await removed;
  if (StatusCode !== 0) throw new Error(`docker run: ${StatusCode}`);
}
