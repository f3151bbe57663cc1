import { statfsSync } from 'node:fs';
import { callEngine } from './docker-api.mjs';

const GIB = 1024 ** 3;
/** What one session may have at most, as a part of the whole. */
const SHARE = 4;
const MAX_DISK = 64 * GIB;

/**
 * Chooses what sessions may ask for from what the engine's machine has.
 * @param {ReturnType<typeof import('./docker-api.mjs').engineAt>} engine
 * @returns {Promise<Record<string, string>>} MAX_SESSION_*, without those that cannot be told
 */
export async function machineLimits(engine) {
  let text = '';
  const status = await callEngine(engine, { path: '/info', silenceMs: 30_000, onLine: (line) => (text += line) });
  const { MemTotal, NCPU, DockerRootDir } = status === 200 ? JSON.parse(text) : {};
  // Only an engine on a socket of this machine has its files here.
  const free = engine.options.socketPath === undefined ? undefined : freeBytes(DockerRootDir);
  return {
    ...named('MAX_SESSION_MEMORY', size(MemTotal / SHARE)),
    ...named('MAX_SESSION_CPUS', NCPU > 0 ? String(Math.max(1, Math.floor(NCPU / 2))) : undefined),
    ...named('MAX_SESSION_DISK', size(Math.min(free / SHARE, MAX_DISK))),
  };
}

function named(name, value) {
  return value === undefined ? {} : { [name]: value };
}

/**
 * Rounds down to a power of two, so that a second start mostly finds the same.
 * @returns {string | undefined} such as `4g`; undefined below half a gigabyte
 */
function size(bytes) {
  if (!(bytes >= GIB / 2)) return undefined;
  const rounded = 2 ** Math.floor(Math.log2(bytes));
  return rounded >= GIB ? `${rounded / GIB}g` : `${rounded / 1024 ** 2}m`;
}

function freeBytes(directory) {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
