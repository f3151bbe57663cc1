import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { aptInstall, canInstallPackages, distributionSources, suite } from '../setup/apt.mjs';
import { run, say, SetupError, which } from '../setup/steps.mjs';

const DEADLINE_MS = 10 * 60_000;
const PACKAGES = ['docker.io', 'runsc', 'mount', 'procps', 'ca-certificates'];

/**
 * Makes a Debian 13 in a directory, with its Docker engine and gVisor. It is made once for each
 * machine and kept. It lies outside the clone, so that no tool searches it.
 * @returns {Promise<{ path: string, note: string }>}
 */
export async function ensureTrixieRoot() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sandbox-api');
  const path = join(cache, `trixie-${createHash('sha256').update(String(PACKAGES)).digest('hex').slice(0, 8)}`);
  if (existsSync(path)) return { path, note: `up to date, ${path}` };
  const [source] = distributionSources();
  if (!canInstallPackages() || !source?.includes('/debian')) {
    throw new SetupError('Other engines are set up as root on Debian only. Elsewhere, set DOCKER_HOST to one and run `npm test`.');
  }
  if (which('mmdebstrap') === undefined) await aptInstall(['mmdebstrap']);
  say('making a Debian 13 with Docker and gVisor (about half a minute)');
  const partial = `${path}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  try {
    await run(which('mmdebstrap'), ['--variant=apt', '--quiet', `--include=${PACKAGES}`, 'trixie', partial, ...trixieSources()], {
      deadlineMs: DEADLINE_MS,
    });
    renameSync(partial, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return { path, note: `made, ${path}` };
}

/** @returns the sources from which this machine gets its own packages, for Debian 13 */
function trixieSources() {
  return distributionSources().map((source) => source.replaceAll(suite(), 'trixie'));
}
