import type { Surroundings } from './surroundings';

export const WORKSPACE = '/workspace';

/** What every command finds, unless the request sets something else. */
const ALWAYS: Readonly<Record<string, string>> = {
  HOME: WORKSPACE,
  LANG: 'C.UTF-8',
  // A command's stdout is a pipe, and for a pipe Python keeps what is printed until 8 KiB have come
  // together. A caller would see nothing of it live, and a timeout or a signal would lose it.
  PYTHONUNBUFFERED: '1',
  // Package managers put programs below the home directory, since the root is read-only. The agent
  // has its `bin` first on every command's PATH (agent/processes/shell.py). pip does so by itself
  // once it does not refuse an image whose Python belongs to the distribution (PEP 668).
  PIP_BREAK_SYSTEM_PACKAGES: '1',
  NPM_CONFIG_PREFIX: `${WORKSPACE}/.local`,
  CARGO_INSTALL_ROOT: `${WORKSPACE}/.local`,
  GOBIN: `${WORKSPACE}/.local/bin`,
  // Common images have these below their root, which is read-only here. And Java takes the home
  // directory from the image's list of users, and not from HOME.
  CARGO_HOME: `${WORKSPACE}/.cargo`,
  GOPATH: `${WORKSPACE}/go`,
  GRADLE_USER_HOME: `${WORKSPACE}/.gradle`,
  MAVEN_OPTS: `-Duser.home=${WORKSPACE}`,
};

/** What an installer unpacks may be larger than /tmp. The agent makes this directory. */
const ON_DISK: Readonly<Record<string, string>> = { TMPDIR: `${WORKSPACE}/.tmp` };

/**
 * Returns the variables of a sandbox as `NAME=value`. The engine adds the image's own, and a PATH
 * if the image has none.
 * @param isOnDisk whether the workspace is on the host's disk
 */
export function sandboxEnvironment(isOnDisk: boolean, surroundings: Surroundings | null): string[] {
  const variables = { ...ALWAYS, ...(isOnDisk ? ON_DISK : {}) };
  for (const [name, value] of Object.entries(surroundings?.variables ?? {})) {
    // Both then hold options of a program.
    variables[name] = variables[name] === undefined ? value : `${variables[name]} ${value}`;
  }
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}
