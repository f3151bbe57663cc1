import { runJest } from '../run-jest.mjs';
import { say, SetupError, step } from '../setup/steps.mjs';

/** Files of e2e whose subject is what each runtime does in its own way. */
export const OF_EACH_RUNTIME = [
  'archive',
  'execute',
  'input',
  'jobs',
  'network',
  'output',
  'persistence',
  'previews',
  'real-use/ports',
  'streaming',
  'terminal',
  'timeouts',
  'workspace',
];

/** Tests that run a second time, with the other store. */
export const WITH_MEMORY_STORE = {
  names: '\\(memory store, one process\\)',
  reason: 'where the sessions are kept is the same for each runtime',
};

/**
 * Runs tests on another runtime, project by project.
 * @param {Readonly<Record<string, object>>} projects what runs of each. `paths` selects test files;
 *   without it, all run. `leftOut` says why a file cannot run there. `leftOutTests` leaves out the
 *   tests whose names match, for a reason
 * @param {string} title of the runtime
 * @param {readonly string[]} jestArguments
 * @param {{ env: NodeJS.ProcessEnv, signal: AbortSignal }} options
 * @returns the counts of each project
 */
export async function runProjects(projects, title, jestArguments, { env, signal }) {
  const counts = [];
  for (const [project, files] of Object.entries(projects)) {
    signal.throwIfAborted();
    const args = fileArguments(project, files, jestArguments);
    counts.push((await step(`jest: ${project}, ${title}`, () => runJest(project, args, { env, signal }))).count);
  }
  signal.throwIfAborted();
  return counts;
}

/** Chooses the test files. Paths that the caller names replace those of the engine. */
function fileArguments(project, { paths = [], leftOut = {}, leftOutTests }, jestArguments) {
  const at = (file) => `test/${project}/${file}`;
  for (const [file, reason] of Object.entries(leftOut)) say(`left out: ${at(file)}.spec.ts; ${reason}`);
  const options = Object.keys(leftOut).map((file) => `--testPathIgnorePatterns=${at(file)}`);
  if (leftOutTests) {
    say(`left out: tests of ${project} named ${leftOutTests.names}; ${leftOutTests.reason}`);
    options.push(`--testNamePattern=^(?!.*${leftOutTests.names})`);
  }
  // Paths come first, because an option that takes several values would take them too.
  return [...(jestArguments.length > 0 ? jestArguments : paths.map(at)), ...options];
}

/**
 * Lets Ctrl-C and SIGTERM end the tests and not this process, which first has to stop what it
 * started.
 */
export function interruption() {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new SetupError('Interrupted.'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const each of signals) process.on(each, interrupt);
  return { signal: controller.signal, forget: () => signals.forEach((each) => process.off(each, interrupt)) };
}
