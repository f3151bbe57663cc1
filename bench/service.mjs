/**
 * Runs the built service as processes of its own, as it is deployed: with authentication and rate
 * limiting.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit, refuseWhenEnding } from './cleanup.mjs';
import { request } from './client.mjs';
import { IMAGE, removeLabelled } from './engine.mjs';

const MAIN = fileURLToPath(new URL('../dist/apps/api/src/main.js', import.meta.url));
/** A directory without a .env file. */
const HERE = fileURLToPath(new URL('.', import.meta.url));
/**
 * Limits that would stop a bench before the machine does. A scenario may set others. All the rest
 * are the defaults.
 */
const RAISED_LIMITS = {
  RATE_LIMIT_REQUESTS: '100000000',
  MAX_SESSIONS: '5000',
  MAX_SESSIONS_PER_USER: '5000',
};
/**
 * Without a pool, because sandboxes that are created in the background would disturb the
 * measurements. Scenarios about the pool say how large it is.
 */
const NO_POOL = { POOL_SIZE: '0' };
/** As the tests have it. `CHANNEL_DIRECTORY= npm run bench` measures the engine's streams. */
export const CHANNEL_DIRECTORY = process.env.CHANNEL_DIRECTORY ?? join(tmpdir(), `sandbox-api-bench-${process.getuid?.() ?? 0}`);

const READY_MS = 20_000;
const STOP_MS = 10_000;

/**
 * Starts the service.
 * @param store 'redis', with a Redis of its own, or 'memory'
 * @param apis number of API processes of one deployment
 * @param profileDir where each API process leaves a CPU profile when it ends, if anywhere
 * @returns ports, pids, two users' keys, the `channel` of /ready, and `stop`, which removes
 *   everything that was started, sandboxes included
 */
export async function startService({ store = 'redis', apis = 1, env = {}, profileDir } = {}) {
  const deployment = `bench-${randomBytes(4).toString('hex')}`;
  const keys = [0, 1].map(() => randomBytes(16).toString('hex'));
  const service = { deployment, keys, key: keys[0], ports: [], pids: [], turn: 0 };
  const children = [];
  service.stop = atExit(async () => {
    for (const child of children) await end(child, profileDir ? 'SIGTERM' : 'SIGKILL');
    await removeLabelled(`sandbox-api.deployment=${deployment}`);
  });
  const redisPort = await freePort();
  refuseWhenEnding();
  if (store === 'redis') children.push(startRedis(redisPort));
  for (let i = 0; i < apis; i++) {
    const port = await freePort();
    refuseWhenEnding();
    const api = spawn(process.execPath, [...(profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []), MAIN], {
      cwd: HERE,
      env: {
        PATH: process.env.PATH,
        ...(process.env.DOCKER_HOST === undefined ? {} : { DOCKER_HOST: process.env.DOCKER_HOST }),
        CHANNEL_DIRECTORY,
        HOST: '127.0.0.1',
        PORT: String(port),
        DEPLOYMENT: deployment,
        API_KEYS: keys.join(','),
        CONTAINER_IMAGE: IMAGE,
        SESSION_STORE: store,
        REDIS_HOST: '127.0.0.1',
        REDIS_PORT: String(redisPort),
        ...RAISED_LIMITS,
        ...NO_POOL,
        ...env,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.unshift(api);
    service.ports.push(port);
    service.pids.push(api.pid);
    service.channel = (await ready({ ...service, ports: [port] }, api)).channel;
  }
  return service;
}

function startRedis(port) {
  return spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' });
}

/** @returns the answer of GET /ready */
async function ready(service, api) {
  const giveUpAt = performance.now() + READY_MS;
  while (performance.now() < giveUpAt && api.exitCode === null) {
    const answer = await request(service, 'GET', '/ready').catch(() => null);
    if (answer?.status === 200) return JSON.parse(answer.body);
    await sleep(50);
  }
  throw new Error('the service is not ready: is it built, Docker running, and the sandbox image there?');
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(late);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
