import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The agent's files. The path is the same from the sources and from dist/: `nest build` copies the
 * agent's Python files to dist/agent.
 */
const AGENT_DIRECTORY = join(__dirname, '../../../../agent');

const BOOTSTRAP = 'bootstrap.py';
const LOADER = 'loader.py';
const TESTS = 'tests/';
/** The room of a program of its own: PID 1 of a sandbox whose workspace is on the host's disk. */
const DISK = 'disk/';
/** The module that the loader runs. */
const MAIN = 'main';

const source = (file: string): string => readFileSync(join(AGENT_DIRECTORY, file), 'utf8');

/**
 * Returns the files of all modules, relative to the agent's directory, in a fixed order. The
 * bootstrap, the loader and the tests are no modules.
 */
function moduleFiles(): string[] {
  const files = readdirSync(AGENT_DIRECTORY, { encoding: 'utf8', recursive: true });
  return files.filter((file) => file.endsWith('.py') && ![BOOTSTRAP, LOADER].includes(file) && !file.startsWith(TESTS)).sort();
}

/** Returns the name that a file is imported by: `wire` for `wire/__init__.py`. */
const moduleName = (file: string): string => file.replace(/(\/__init__)?\.py$/, '').replaceAll('/', '.');

/** Returns the source of a program that is made of these files. It runs its module `main`. */
function buildBundle(files: readonly string[], main: string): string {
  const modules = Object.fromEntries(files.map((file) => [file === main ? MAIN : moduleName(file), source(file)]));
  return `MODULES = ${JSON.stringify(modules)}\n${source(LOADER)}`;
}

/**
 * The command line that starts the agent in a sandbox (agent/PROTOCOL.md, "Bootstrap"). Its program
 * is one short line, so that a process listing stays readable.
 */
export const AGENT_ARGV: readonly string[] = Object.freeze(['python3', '-I', '-S', '-u', '-c', source(BOOTSTRAP).trimEnd()]);

// Read once, at start. So an installation without the agent fails at start, not at the first call.
const FILES = moduleFiles();
const OF_DISK = FILES.filter((file) => file.startsWith(DISK));
const BUNDLE = Buffer.from(
  buildBundle(
    FILES.filter((file) => !OF_DISK.includes(file)),
    `${MAIN}.py`,
  ),
);

/** The program of PID 1 in a sandbox whose workspace is on the host's disk. It has no channel. */
export const DISK_WATCH = `DIRECT = None\n${buildBundle(OF_DISK, `${DISK}${MAIN}.py`)}`;

/**
 * Returns what the bootstrap reads from its stdin, in two pieces: the length of the source with the
 * socket that the agent connects to, and the source. The second buffer is shared: do not write to
 * it.
 */
export function agentBundle(direct: { name: string; token: string } | null): [string, Buffer] {
  // As JSON, the two are Python literals too.
  const channel = `DIRECT = ${direct === null ? 'None' : JSON.stringify([direct.name, direct.token])}\n`;
  return [`${channel.length + BUNDLE.length}\n${channel}`, BUNDLE];
}
