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

const source = (file: string): string => readFileSync(join(AGENT_DIRECTORY, file), 'utf8');

/**
 * Returns the files of the agent's modules, relative to its directory, in a fixed order. The
 * bootstrap, the loader and the tests are no modules.
 */
function moduleFiles(): string[] {
  const files = readdirSync(AGENT_DIRECTORY, { encoding: 'utf8', recursive: true });
  return files.filter((file) => file.endsWith('.py') && file !== BOOTSTRAP && file !== LOADER && !file.startsWith(TESTS)).sort();
}

/** Returns the name that the agent imports a file by: `wire` for `wire/__init__.py`. */
const moduleName = (file: string): string => file.replace(/(\/__init__)?\.py$/, '').replaceAll('/', '.');

function buildBundle(): Buffer {
  const modules = Object.fromEntries(moduleFiles().map((file) => [moduleName(file), source(file)]));
  return Buffer.from(`MODULES = ${JSON.stringify(modules)}\n${source(LOADER)}`);
}

/**
 * The command line that starts the agent in a sandbox (agent/PROTOCOL.md, "Bootstrap"). Its program
 * is one short line, so that a process listing stays readable.
 */
export const AGENT_ARGV: readonly string[] = Object.freeze(['python3', '-I', '-S', '-u', '-c', source(BOOTSTRAP).trimEnd()]);

// Read once, at start. So an installation without the agent fails at start, not at the first call.
const BUNDLE = buildBundle();

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
