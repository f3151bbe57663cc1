import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * As far from the sources as from what they are built into: `nest build` copies agent/*.py to
 * dist/agent.
 */
const AGENT_DIRECTORY = join(__dirname, '../../../../agent');

const BOOTSTRAP = 'bootstrap.py';
const LOADER = 'loader.py';

const source = (file: string): string => readFileSync(join(AGENT_DIRECTORY, file), 'utf8');

function buildBundle(): Buffer {
  const files = readdirSync(AGENT_DIRECTORY).filter((file) => file.endsWith('.py') && file !== BOOTSTRAP && file !== LOADER);
  const modules = Object.fromEntries(files.sort().map((file) => [basename(file, '.py'), source(file)]));
  const bundle = `MODULES = ${JSON.stringify(modules)}\n${source(LOADER)}`;
  return Buffer.from(`${Buffer.byteLength(bundle)}\n${bundle}`);
}

/**
 * The command line that starts the agent in a sandbox (agent/PROTOCOL.md, "Bootstrap"). Its program
 * is one short line, so that a process listing stays readable.
 */
export const AGENT_ARGV: readonly string[] = Object.freeze(['python3', '-I', '-S', '-u', '-c', source(BOOTSTRAP).trimEnd()]);

// Read once, at start. So an installation without the agent fails at start, not at the first call.
const BUNDLE = buildBundle();

/**
 * Returns what the bootstrap reads from its stdin: the agent's source after its length. The buffer
 * is shared: do not write to it.
 */
export function agentBundle(): Buffer {
  return BUNDLE;
}
