import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What npm leaves between tests, beside what `npm start` does. */
const STATE = join(__dirname, '../../../.sandbox');
const INSTALL_MS = 600_000;
const PROGRAM_MS = 240_000;

/**
 * Packages that come with code of their own for E2B, and the SDK that they use. They are far too
 * large to be dependencies of this product.
 */
const PACKAGES = {
  '@computesdk/e2b': '1.7.52',
  '@e2b/cli': '2.19.0',
  '@e2b/code-interpreter': '2.8.0',
  '@openai/agents-core': '0.18.0',
  '@openai/agents-extensions': '0.18.0',
  e2b: '2.51.0',
  'ez-devbox': '0.7.2',
  'mcp-use': '1.34.6',
};

/** @returns a directory in which the packages are installed. The first call on a machine does it */
export async function installFrameworks(): Promise<string> {
  const manifest = JSON.stringify({ private: true, type: 'module', dependencies: PACKAGES });
  const directory = join(STATE, `e2b-frameworks-${createHash('sha256').update(manifest).digest('hex').slice(0, 16)}`);
  if (existsSync(directory)) return directory;
  const begun = `${directory}.${process.pid}`;
  await mkdir(begun, { recursive: true });
  await writeFile(join(begun, 'package.json'), manifest);
  // Peers are what each of them could also use: the SDKs of all other services.
  const options = ['--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  await run('npm', ['install', ...options], { cwd: begun, timeout: INSTALL_MS });
  await rename(begun, directory).catch(() => rm(begun, { recursive: true }));
  return directory;
}

/**
 * Runs a program that uses the packages, in a process that is pointed at a service by its
 * environment alone.
 * @param program an ES module that calls `tell` with what the test is to see
 */
export async function runFramework(directory: string, serviceUrl: string, apiKey: string, program: string): Promise<unknown> {
  const tell = 'const tell = (value) => console.log(`\\n<told>${JSON.stringify(value)}`);\n';
  const env = {
    PATH: process.env.PATH,
    E2B_API_URL: `${serviceUrl}/e2b`,
    E2B_SANDBOX_URL: `${serviceUrl}/e2b/sandbox`,
    E2B_API_KEY: apiKey,
  };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', tell + program], {
    cwd: directory,
    env,
    timeout: PROGRAM_MS,
  });
  return JSON.parse(stdout.split('<told>').at(-1)!);
}
