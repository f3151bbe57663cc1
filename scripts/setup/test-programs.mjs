import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, aptUnpack, canInstallPackages } from './apt.mjs';
import { run, SetupError, STATE_DIR, which } from './steps.mjs';

/** The programs that only the tests need, and the Debian packages that have them. */
const PROGRAMS = { python3: 'python3', 'redis-server': 'redis-server', chromium: 'chromium' };

/**
 * Servers that sandboxes reach in tests. An installed one would start with the machine, so they are
 * only unpacked. test/support/network/debian-server.ts runs them.
 */
const SERVERS = { sshd: 'openssh-server', postgres: 'postgresql' };
const UNPACKED = join(STATE_DIR, 'programs');
const POSTGRES_VERSIONS = '/usr/lib/postgresql';

/**
 * Gets what the tests need and the service does not: Python for the agent's tests, Redis, Chromium,
 * Docker's CLI with compose, and servers.
 */
export async function ensureTestPrograms() {
  const missing = Object.keys(PROGRAMS)
    .filter((program) => which(program) === undefined)
    .map((program) => PROGRAMS[program]);
  if (!(await hasCompose())) missing.push('docker-compose');
  const servers = Object.keys(SERVERS)
    .filter((program) => !hasServer(program))
    .map((program) => SERVERS[program]);
  if (missing.length + servers.length === 0) return { note: 'all there' };
  if (!canInstallPackages()) throw new SetupError(`The tests need ${[...missing, ...servers].join(', ')}; install them and try again.`);
  if (missing.length > 0) await aptInstall(missing);
  if (servers.length > 0) await aptUnpack(servers, UNPACKED);
  return { note: 'installed' };
}

/** Whether a server is installed or unpacked. PostgreSQL's directories have no place in PATH. */
function hasServer(program) {
  const versions = ['', UNPACKED].flatMap((root) => {
    const directory = `${root}${POSTGRES_VERSIONS}`;
    return existsSync(directory) ? readdirSync(directory).map((version) => join(directory, version, 'bin')) : [];
  });
  const directories = [join(UNPACKED, 'usr/sbin'), ...versions];
  return which(program) !== undefined || directories.some((directory) => existsSync(join(directory, program)));
}

/** Whether there is `docker-compose` or the compose plugin of Docker's CLI. */
async function hasCompose() {
  if (which('docker-compose') !== undefined) return true;
  try {
    await run('docker', ['compose', 'version'], { deadlineMs: 30_000 });
    return true;
  } catch {
    return false;
  }
}
