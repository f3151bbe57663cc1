import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** As far from the sources as from what they are built into: `nest build` copies agent/*.py to dist/agent. */
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

/** What is executed in a sandbox (agent/PROTOCOL.md, "Bootstrap"): one short line, so that a listing of processes stays readable. */
export const AGENT_ARGV: readonly string[] = Object.freeze(['python3', '-I', '-S', '-u', '-c', source(BOOTSTRAP).trimEnd()]);

// Read once, at start: an installation without the agent fails there and not on the first call.
const BUNDLE = buildBundle();

/** What the bootstrap reads from its stdin: the agent's source, preceded by its length. Shared; not to be written to. */
export function agentBundle(): Buffer {
  return BUNDLE;
}
