import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineAt } from '../setup/docker-api.mjs';
import { waitForEngine } from '../setup/docker-engine.mjs';

const IN_ROOT = join(import.meta.dirname, 'in-root.sh');
/** How long containers may take to end when the engine stops. */
const SHUTDOWN_SECONDS = 2;
const STOP_DEADLINE_MS = 30_000;

/**
 * gVisor's KVM platform hangs on some virtual machines, so this uses systrap. Without cgroups,
 * because gVisor's own processes would use up a sandbox's process limit and end all of it.
 */
const RUNTIMES = {
  runsc: { path: '/usr/bin/runsc', runtimeArgs: ['--platform=systrap', '--network=none', '--ignore-cgroups'] },
};

/**
 * Starts the Docker engine of a Debian 13 root directory, beside this machine's own engine and
 * without a network. All its files are in a directory of its own, and its mounts in a mount
 * namespace of its own. So `stop` leaves nothing behind.
 * @param {string} root
 * @param {string} channelDirectory CHANNEL_DIRECTORY of the services under test
 * @returns {Promise<{ host: string, engine: ReturnType<typeof engineAt>, stop: () => Promise<void>
 *   }>}
 */
export async function startTrixieEngine(root, channelDirectory) {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-engine-'));
  const at = (name) => join(directory, name);
  const host = `unix://${at('docker.sock')}`;
  writeFileSync(at('daemon.json'), JSON.stringify({ runtimes: RUNTIMES }));
  const options = ['--config-file', at('daemon.json'), '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')];
  options.push('-H', host, '--shutdown-timeout', String(SHUTDOWN_SECONDS), '--bridge=none', '--iptables=false', '--ip6tables=false');
  const log = openSync(at('log'), 'a');
  // A network namespace of its own, because --bridge=none would otherwise delete the other engine's
  // bridge. It ends with this process, however that ends. A session of its own, because Ctrl-C is
  // for this process, which stops the engine after the tests.
  const args = ['-m', '-n', 'setpriv', '--pdeathsig', 'TERM', 'sh', IN_ROOT, root, directory, 'dockerd', ...options];
  const env = { ...process.env, SANDBOX_TEST_CHANNEL_DIRECTORY: channelDirectory };
  const dockerd = spawn('unshare', args, { cwd: '/', env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let ended = false;
  const end = new Promise((resolve) => {
    for (const event of ['exit', 'error']) dockerd.once(event, resolve);
  }).then(() => (ended = true));
  const stop = async () => {
    if (!ended) dockerd.kill('SIGTERM');
    await Promise.race([end, sleep(STOP_DEADLINE_MS, undefined, { ref: false })]);
    await killAllOf(directory);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const engine = engineAt(host);
    await waitForEngine(
      engine,
      () => ended,
      () => `its log ends:\n${readFileSync(at('log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n')}`,
    );
    return { host, engine, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Kills what a killed engine leaves: its containers' shims and their children. The command lines of
 * all of them name its directory.
 */
async function killAllOf(directory) {
  for (let left = processesThatName(directory); left.length > 0; left = processesThatName(directory)) {
    for (const pid of left) kill(pid);
    await sleep(50);
  }
}

function processesThatName(text) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid) && commandLine(name).includes(text));
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid) {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
