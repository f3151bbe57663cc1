import { aptInstall, canInstallPackages } from './apt.mjs';
import { run, SetupError, which } from './steps.mjs';

/** The programs that only the tests need, and the Debian packages that have them. */
const PROGRAMS = { python3: 'python3', 'redis-server': 'redis-server' };

/**
 * Installs what the tests need and the service does not: Python for the agent's tests, Redis, and
 * Docker's CLI with compose.
 */
export async function ensureTestPrograms() {
  const missing = Object.keys(PROGRAMS)
    .filter((program) => which(program) === undefined)
    .map((program) => PROGRAMS[program]);
  if (!(await hasCompose())) missing.push('docker-compose');
  if (missing.length === 0) return { note: 'all there' };
  if (!canInstallPackages()) throw new SetupError(`The tests need ${missing.join(', ')}; install them and try again.`);
  await aptInstall(missing);
  return { note: 'installed' };
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
