import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { aptInstall, canInstallPackages, isDebianLike } from './apt.mjs';
import { engineAt, whyNoEngine } from './docker-api.mjs';
import { run, say, SetupError, STATE_DIR, which } from './steps.mjs';

const DEFAULT_SOCKET = process.platform === 'win32' ? 'npipe:////./pipe/docker_engine' : 'unix:///var/run/docker.sock';
const START_DEADLINE_MS = 60_000;

/**
 * Finds a Docker engine. If there is none, installs and starts one, as root on Debian or Ubuntu,
 * unless SETUP_DOCKER=off.
 * @returns {Promise<{ host: string, engine: ReturnType<typeof engineAt>, note: string }>}
 * @throws SetupError that says what the user has to install or start
 */
export async function ensureDocker() {
  if (process.env.DOCKER_HOST) return engineOfUser(process.env.DOCKER_HOST);
  const reasons = new Map();
  for (const host of usualHosts()) {
    const reason = await whyNoEngine(engineAt(host));
    if (reason === undefined) return found(host, 'found');
    reasons.set(host, reason);
  }
  const closed = [...reasons].find(([, reason]) => reason === 'EACCES');
  if (closed) throw new SetupError(`${closed[0]} may not be opened by this user: add it to the group docker, log in anew and try again.`);
  if (process.env.SETUP_DOCKER?.toLowerCase() === 'off' || !canInstallPackages())
    throw new SetupError(`No Docker engine answers. ${advice()}`);
  say('no Docker engine answers; setting one up (SETUP_DOCKER=off prevents this)');
  // iptables is named because an engine without it starts but cannot make its bridge.
  if (which('dockerd') === undefined) await aptInstall(['docker.io', 'iptables']);
  await startEngine();
  return found(DEFAULT_SOCKET, 'started');
}

async function engineOfUser(host) {
  const reason = await whyNoEngine(engineAt(host));
  if (reason !== undefined) throw new SetupError(`DOCKER_HOST is set, but no Docker engine answers there (${reason}).`);
  return found(host, 'found at DOCKER_HOST');
}

function found(host, note) {
  return { host, engine: engineAt(host), note };
}

/**
 * Returns the sockets of the system's engine, then of Docker Desktop, Colima and a rootless engine.
 */
function usualHosts() {
  if (process.platform === 'win32') return [DEFAULT_SOCKET];
  const runtimeDir = process.env.XDG_RUNTIME_DIR;
  const ofUser = [join(homedir(), '.docker/run/docker.sock'), join(homedir(), '.colima/default/docker.sock')];
  if (runtimeDir) ofUser.push(join(runtimeDir, 'docker.sock'));
  return [DEFAULT_SOCKET, ...ofUser.filter((path) => existsSync(path)).map((path) => `unix://${path}`)];
}

function advice() {
  if (process.platform !== 'linux') return 'Install Docker Desktop (https://docs.docker.com/get-docker/), start it and try again.';
  if (!isDebianLike()) return 'Install Docker Engine (https://docs.docker.com/engine/install/), start it and try again.';
  return 'Run `apt-get install docker.io` as root and start it (`systemctl start docker`), add yourself to the group docker, and try again.';
}

async function startEngine() {
  const engine = engineAt(DEFAULT_SOCKET);
  if (existsSync('/run/systemd/system')) {
    say('starting Docker with systemctl');
    await run('systemctl', ['start', 'docker'], { deadlineMs: START_DEADLINE_MS });
    return waitForEngine(
      engine,
      () => false,
      () => 'see `journalctl -u docker`',
    );
  }
  const log = join(STATE_DIR, 'dockerd.log');
  say(`starting dockerd; its log is ${log}`);
  const output = openSync(log, 'a');
  // A session of its own, and none of our file descriptors. So it lives on when this terminal
  // closes, and keeps no pipe of ours open.
  const dockerd = spawn(which('dockerd'), [], { cwd: '/', detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  dockerd.unref();
  dockerd.on('error', () => {});
  const ended = () => dockerd.exitCode !== null || dockerd.signalCode !== null || dockerd.pid === undefined;
  return waitForEngine(engine, ended, () => `its log ends:\n${readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n')}`);
}

/**
 * Waits until an engine answers.
 * @param {() => boolean} ended whether the engine's process has ended
 * @param {() => string} hint where to look for the reason
 * @throws SetupError if the engine ends or does not answer in time
 */
export async function waitForEngine(engine, ended, hint) {
  const deadline = Date.now() + START_DEADLINE_MS;
  while ((await whyNoEngine(engine)) !== undefined) {
    if (ended() || Date.now() > deadline) throw new SetupError(`Docker did not start; ${hint()}`);
    await sleep(200);
  }
}
