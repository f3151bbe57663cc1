import { existsSync } from 'node:fs';
import { joinRules, uncovered } from '@sandbox/egress';
import { type Values, VARIABLES, type VariableName } from './variables';

/** The service's settings, checked and frozen. No other code reads process.env. */
export interface Config extends Values {
  /** JWT_SECRET, or null if Bearer JWTs are off. */
  readonly jwtSecret: string | null;
}

/** The injection token of the settings. */
export const CONFIG = Symbol('Config');

/** Size of /dev/shm in a sandbox. */
export const SHM_BYTES = 16 * 1024 ** 2;
/**
 * How much of the memory limit full tmpfs mounts have to leave. With less, filling them would kill
 * the session.
 */
export const MIN_FREE_MEMORY_BYTES = 32 * 1024 ** 2;

/** Size of the tmpfs for the files of EGRESS_MIRRORS and EGRESS_CA_FILE in a sandbox. */
export const SURROUNDINGS_BYTES = 4 * 1024 ** 2;

const UNSAFE_JWT_SECRET = 'change-me-in-production';
const MIN_JWT_SECRET_BYTES = 32;

/**
 * Reports everything that is wrong with the environment, in one error. It names variables, never
 * values.
 */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Bad configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads and checks the whole environment. An empty variable counts as unset.
 * @param needsAuth false for a process that serves no clients, such as the cleanup worker
 * @throws ConfigError that names every bad variable at once
 */
export function loadConfig(env: NodeJS.ProcessEnv, { needsAuth = true } = {}): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const variable = VARIABLES[name];
    const given = env[name]?.trim() ?? '';
    try {
      values[name] = variable.parse(given === '' ? variable.default : given);
    } catch (error) {
      problems.push(`${name} ${(error as Error).message}`);
      values[name] = variable.parse(variable.default);
    }
  }
  const isUnset = (name: VariableName): boolean => (env[name]?.trim() ?? '') === '';
  // An operator who raises only the default lifetime means to allow it for every session.
  if (isUnset('MAX_SESSION_TTL_SECONDS')) {
    values.MAX_SESSION_TTL_SECONDS = Math.max(values.MAX_SESSION_TTL_SECONDS as number, values.SESSION_TTL_SECONDS as number);
  }
  // An operator who lowers only the maximum means it for commands without a timeout as well.
  if (isUnset('DEFAULT_EXEC_TIMEOUT_SECONDS')) {
    values.DEFAULT_EXEC_TIMEOUT_SECONDS = Math.min(
      values.DEFAULT_EXEC_TIMEOUT_SECONDS as number,
      values.MAX_EXEC_TIMEOUT_SECONDS as number,
    );
  }
  const config = withMirrorsAllowed(values as Values);
  const jwtSecret = config.JWT_SECRET === UNSAFE_JWT_SECRET ? null : config.JWT_SECRET;
  problems.push(...crossChecks(config, jwtSecret, needsAuth));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ ...config, jwtSecret });
}

/**
 * Lets all sessions reach the mirrors. A session that asks for the preset `packages` gets them too
 * (`outgoing-rules.ts`); one that asks for other rules does not.
 */
function withMirrorsAllowed(values: Values): Values {
  const { rules } = values.EGRESS_MIRRORS;
  if (rules.length === 0) return values;
  return { ...values, EGRESS_ALLOW: joinRules(values.EGRESS_ALLOW, rules), EGRESS_DEFAULT: joinRules(values.EGRESS_DEFAULT, rules) };
}

/**
 * @returns the least memory limit of a sandbox in bytes. Its tmpfs mounts may be full, and it still
 *   has to work.
 */
export function leastMemory(config: Pick<Values, MemorySetting>, onDisk: boolean): number {
  const workspace = onDisk ? 0 : config.CONTAINER_TMPFS_WORKSPACE_SIZE;
  return config.CONTAINER_TMPFS_TMP_SIZE + workspace + SHM_BYTES + surroundingsBytes(config) + MIN_FREE_MEMORY_BYTES;
}

type MemorySetting = 'CONTAINER_TMPFS_TMP_SIZE' | 'CONTAINER_TMPFS_WORKSPACE_SIZE' | 'EGRESS_MIRRORS' | 'EGRESS_CA_FILE';

function surroundingsBytes({ EGRESS_MIRRORS, EGRESS_CA_FILE }: Pick<Values, MemorySetting>): number {
  return EGRESS_CA_FILE !== null || EGRESS_MIRRORS.rules.length > 0 ? SURROUNDINGS_BYTES : 0;
}

function crossChecks(config: Values, jwtSecret: string | null, needsAuth: boolean): string[] {
  const problems: string[] = [];
  if (jwtSecret !== null && Buffer.byteLength(jwtSecret) < MIN_JWT_SECRET_BYTES) {
    // An HMAC key must be at least as long as the hash (RFC 7518, section 3.2). A shorter key can
    // be guessed offline from one token.
    problems.push(`JWT_SECRET must have at least ${MIN_JWT_SECRET_BYTES} bytes`);
  }
  if (needsAuth && jwtSecret === null && config.API_KEYS.length === 0) {
    problems.push('no authentication method is on: set API_KEYS or JWT_SECRET (or both)');
  }
  if (config.DEFAULT_EXEC_TIMEOUT_SECONDS > config.MAX_EXEC_TIMEOUT_SECONDS) {
    problems.push('DEFAULT_EXEC_TIMEOUT_SECONDS must not exceed MAX_EXEC_TIMEOUT_SECONDS');
  }
  if (config.CONTAINER_ULIMIT_NOFILE_SOFT > config.CONTAINER_ULIMIT_NOFILE_HARD) {
    problems.push('CONTAINER_ULIMIT_NOFILE_SOFT must not exceed CONTAINER_ULIMIT_NOFILE_HARD');
  }
  if (config.CONTAINER_MEMSWAP_LIMIT !== null && config.CONTAINER_MEMSWAP_LIMIT !== config.CONTAINER_MEM_LIMIT) {
    problems.push('CONTAINER_MEMSWAP_LIMIT must equal CONTAINER_MEM_LIMIT: a sandbox has no swap');
  }
  if (config.SESSION_TTL_SECONDS > config.MAX_SESSION_TTL_SECONDS) {
    problems.push('SESSION_TTL_SECONDS must not exceed MAX_SESSION_TTL_SECONDS');
  }
  if (leastMemory(config, config.WORKSPACE_PERSIST_VOLUMES) > config.CONTAINER_MEM_LIMIT) {
    const more = surroundingsBytes(config) > 0 ? ' + 4m for EGRESS_MIRRORS and EGRESS_CA_FILE' : '';
    problems.push(
      `CONTAINER_TMPFS_TMP_SIZE + CONTAINER_TMPFS_WORKSPACE_SIZE + 16m of /dev/shm${more} must leave at least 32m of CONTAINER_MEM_LIMIT`,
    );
  }
  if (uncovered(config.EGRESS_DEFAULT, config.EGRESS_ALLOW).length > 0) {
    problems.push('EGRESS_DEFAULT must not have what EGRESS_ALLOW does not have');
  }
  return problems;
}

/**
 * Loads the settings of this process from the environment. For variables that it does not set,
 * reads the file `.env` of the working directory.
 */
export function loadProcessConfig(options?: { needsAuth?: boolean }): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return loadConfig(process.env, options);
}
