/** `npm start`: goes from a fresh clone to a running API, on a machine that only has Node. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keptApiKey } from './setup/api-key.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { machineLimits } from './setup/machine-limits.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage, SANDBOX_IMAGE } from './setup/sandbox-image.mjs';
import { ROOT, runMain, say, SetupError, STATE_DIR, step } from './setup/steps.mjs';

const SANDBOX_UID = 1000;
const READY_DEADLINE_MS = 60_000;
const MAX_CHANNEL_DIRECTORY_BYTES = 76;
const SAME_SIGNAL_MS = 500;
const ABANDONED_CHECK_MS = 250;
const PARENT = process.ppid;
const DISABLED_JWT_SECRET = 'change-me-in-production';

await runMain(async () => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const begun = performance.now();
  const host = chosen('HOST', '127.0.0.1');
  const port = await freePort(host, Number(chosen('PORT', '8000')));
  await step('packages', installPackages);
  await step('build', build);
  const docker = await step('Docker engine', ensureDocker);
  const image = chosen('CONTAINER_IMAGE', SANDBOX_IMAGE);
  if (image === SANDBOX_IMAGE) await step('sandbox image', () => ensureSandboxImage(docker.engine));
  if (process.getuid?.() === SANDBOX_UID)
    say('this user has the uid of the sandboxes, who share some of the kernel’s limits with it (docs/security.md)');
  const store = chosen('SESSION_STORE', 'memory');
  const env = {
    // What is set, also to nothing, wins.
    ...(await machineLimits(docker.engine)),
    ...process.env,
    HOST: host,
    PORT: String(port),
    DOCKER_HOST: docker.host,
    CONTAINER_IMAGE: image,
    CHANNEL_DIRECTORY: process.env.CHANNEL_DIRECTORY ?? channelDirectory(),
    SESSION_STORE: store,
    DEPLOYMENT: chosen('DEPLOYMENT', store === 'memory' ? ownDeployment() : 'default'),
    ...(authIsSet() ? {} : { API_KEYS: keptApiKey() }),
  };
  if (isAbandoned()) throw new SetupError('npm has ended; so the API is not started.');
  // A process group of its own, so that Ctrl-C reaches the API only through this process.
  const api = spawn(process.execPath, ['dist/apps/api/src/main.js'], { env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = exitCodeOf(api);
  forwardSignals(api);
  const url = urlOf(host, port);
  writeFileSync(join(STATE_DIR, 'api-url'), `${url}\n`); // for `npm run sandbox`
  if (await isReady(url, ended)) {
    console.log(`\nReady after ${((performance.now() - begun) / 1000).toFixed(1)} s. ${invitation(url, env)}`);
  }
  process.exitCode = await ended;
});

/**
 * Returns the directory of the sockets on which the API listens for its sandboxes. A socket's path
 * has at most 107 bytes (unix(7)), so a deep checkout has none.
 */
function channelDirectory() {
  const directory = join(ROOT, '.sandbox', 'channels');
  return Buffer.byteLength(directory) <= MAX_CHANNEL_DIRECTORY_BYTES ? directory : '';
}

/** Returns what the environment or .env says. A variable that is set to nothing counts as unset. */
function chosen(name, otherwise) {
  return process.env[name]?.trim() || otherwise;
}

/**
 * Returns a deployment name for this directory. With a memory store, a process does not know the
 * sessions of another one on this engine, and its sweeper would remove them. So each directory gets
 * a name of its own.
 */
function ownDeployment() {
  return `local-${createHash('sha256').update(ROOT).digest('hex').slice(0, 8)}`;
}

function authIsSet() {
  const secret = chosen('JWT_SECRET', DISABLED_JWT_SECRET);
  return chosen('API_KEYS', '') !== '' || secret !== DISABLED_JWT_SECRET;
}

/** Returns the port itself if it is free; for 0, one that the system picks. */
async function freePort(host, port) {
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      server.on('error', reject).listen({ host, port }, () => resolve(server.address().port));
    });
  } catch (error) {
    if (error.code === 'EADDRINUSE') throw new SetupError(`Port ${port} on ${host} is taken. Stop what holds it, or set PORT to another.`);
    throw new SetupError(`The API cannot listen on ${host}, port ${port} (${error.code}). Set HOST and PORT to others.`);
  } finally {
    server.close();
  }
}

function urlOf(host, port) {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host);
  return `http://${reachable}:${port}`;
}

/**
 * Passes signals on to the API. The API ends at once on a second signal, but under npm one Ctrl-C
 * arrives here twice: from the terminal and from npm. So a repeated signal is passed on once.
 *
 * A signal to npm alone may not arrive at all, because npm's shell keeps it. Then the loss of that
 * shell counts as the signal.
 */
function forwardSignals(child) {
  let last = -Infinity;
  const send = (signal) => {
    if (performance.now() - last > SAME_SIGNAL_MS) child.kill(signal);
    last = performance.now();
  };
  for (const [received, sent] of Object.entries({ SIGINT: 'SIGINT', SIGTERM: 'SIGTERM', SIGHUP: 'SIGTERM' })) {
    process.on(received, () => send(sent));
  }
  const watch = setInterval(() => {
    if (!isAbandoned()) return;
    clearInterval(watch);
    send('SIGTERM');
  }, ABANDONED_CHECK_MS);
  watch.unref();
}

/** Whether the npm that ran this script is gone. */
function isAbandoned() {
  return process.env.npm_lifecycle_event !== undefined && process.ppid !== PARENT;
}

function exitCodeOf(child) {
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/**
 * Waits until the API is ready.
 * @returns false if the API ended, or is not ready in time. It keeps trying, and its log says what
 *   is missing.
 */
async function isReady(url, ended) {
  const deadline = Date.now() + READY_DEADLINE_MS;
  let running = true;
  void ended.then(() => (running = false));
  while (running && Date.now() < deadline) {
    try {
      const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5_000) });
      if (response.ok) return true;
    } catch {
      // The API does not listen yet.
    }
    await sleep(200);
  }
  if (running) console.error(`The API is not ready; ${url}/ready says why.`);
  return false;
}

function invitation(url, env) {
  const session = JSON.stringify({ command: 'echo Hello from $(hostname); python3 --version', session_id: 'demo' });
  return `Try:

  curl -s ${url}/execute -H ${credential(env)} -H 'Content-Type: application/json' -d ${quoted(session)}

API documentation: ${url}/docs
MCP (Streamable HTTP, same credentials): ${url}/mcp/
Stop with Ctrl-C.
`;
}

function credential(env) {
  const key = (env.API_KEYS ?? '')
    .split(',')
    .map((item) => item.trim())
    .find((item) => item !== '');
  if (key !== undefined) return quoted(`${chosen('API_KEY_HEADER', 'X-API-Key')}: ${key}`);
  return '"Authorization: Bearer $(npm run --silent token -- --sub me)"';
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
