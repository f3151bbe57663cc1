import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top directory of the clone. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The directory of what set-up makes and keeps: the API key and logs. It is never committed. */
export const STATE_DIR = join(ROOT, '.sandbox');

const OUTPUT_TAIL_BYTES = 8 * 1024;

/** An error that the user has to put right. Its message is all that the user needs to see. */
export class SetupError extends Error {}

export function makeStateDir() {
  mkdirSync(STATE_DIR, { recursive: true, mode: 0o700 });
}

/**
 * Runs one step of the set-up and prints how long it took.
 * @param {string} title
 * @param {() => Promise<T> | T} work may return a `note` to print
 * @returns {Promise<T>}
 * @template {{ note?: string } | void} T
 */
export async function step(title, work) {
  const begun = performance.now();
  console.log(`• ${title}`);
  const result = await work();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`  ${result?.note ?? 'done'} (${seconds} s)`);
  return result;
}

/** Prints what a step is about to do, if that takes long or changes the machine. */
export function say(text) {
  console.log(`  ${text}`);
}

/**
 * Runs a program to its end, without stdin. Keeps the end of its output for the error.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, deadlineMs: number }} options
 * @throws SetupError with the last lines of output, if the program fails or passes its deadline
 */
export async function run(command, args, { env = process.env, deadlineMs }) {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: deadlineMs, killSignal: 'SIGKILL' });
  let tail = '';
  const keep = (chunk) => (tail = (tail + chunk).slice(-OUTPUT_TAIL_BYTES));
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const end = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  if (end !== 0) throw new SetupError(`\`${[command, ...args].join(' ')}\` failed (${end}):\n${tail.trimEnd()}`);
}

/**
 * Finds a program. Searches the administrator's directories even if PATH lacks them.
 * @returns its path, or undefined
 */
export function which(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a script's main function. A SetupError is printed plainly, any other error with its stack.
 * Both exit with 1.
 * @param {() => Promise<void>} main
 */
export async function runMain(main) {
  try {
    requireNode(20, 19);
    process.chdir(ROOT);
    makeStateDir();
    await main();
  } catch (error) {
    console.error(error instanceof SetupError ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

function requireNode(major, minor) {
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);
  if (haveMajor < major || (haveMajor === major && haveMinor < minor)) {
    throw new SetupError(`Node ${major}.${minor} or later is needed; this is ${process.versions.node}.`);
  }
}
