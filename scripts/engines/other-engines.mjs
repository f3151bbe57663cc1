import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SANDBOX_IMAGE } from '../setup/sandbox-image.mjs';
import { say, SetupError, step } from '../setup/steps.mjs';
import { runJest } from '../run-jest.mjs';
import { copyImage } from './copy-image.mjs';
import { startTrixieEngine } from './trixie-engine.mjs';
import { ensureTrixieRoot } from './trixie-root.mjs';

/** The directory of channels, which the tests and the other engine see under one path. */
const CHANNEL_DIRECTORY = join(tmpdir(), `sandbox-api-engine-${process.getuid?.() ?? 0}`);

/**
 * The engines on which the tests run besides this machine's own, by the name of the npm script
 * `test:NAME`. `paths` selects test files; without it, all run. `leftOut` says why a file cannot
 * run there. `leftOutTests` leaves out the tests whose names match, for a reason.
 */
export const OTHER_ENGINES = {
  engine26: {
    title: 'Docker engine 26.1',
    runtime: '',
    channel: 'direct',
    medium: {},
    e2e: { leftOut: { compose: 'it publishes a port, and this engine has no network' } },
  },
  gvisor: {
    title: 'gVisor (CONTAINER_RUNTIME=runsc)',
    runtime: 'runsc',
    // runsc lets a sandbox connect to a socket of the host only with --host-uds=open.
    channel: 'exec',
    medium: { paths: ['docker-runtime', 'sandbox-isolation'] },
    e2e: {
      paths: [
        'archive',
        'execute',
        'input',
        'isolation',
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
      ],
      leftOutTests: {
        names: '\\(memory store, one process\\)',
        reason: 'where the sessions are kept is the same for each runtime, and gVisor is slow',
      },
    },
  },
};

/** Prints one line for each engine that a run leaves out. */
export function sayWhatIsNotRun() {
  for (const [name, { title }] of Object.entries(OTHER_ENGINES))
    say(`not run: the tests on ${title}; \`npm run test:${name}\` does, and TEST_ENGINES=all npm test`);
}

/**
 * Starts the engine, runs its tests and removes it again, even if it is interrupted.
 * @param {keyof typeof OTHER_ENGINES} name
 * @param {object} engine this machine's engine, which has the sandbox image
 * @param {readonly string[]} jestArguments
 * @returns the counts of each project
 */
export async function testOnOtherEngine(name, engine, jestArguments) {
  const { title, runtime, channel, ...projects } = OTHER_ENGINES[name];
  const { signal, forget } = interruption();
  let other;
  try {
    const root = await step('Debian 13', ensureTrixieRoot);
    await step(title, async () => {
      signal.throwIfAborted();
      other = await startTrixieEngine(root.path, CHANNEL_DIRECTORY);
      await copyImage(engine, other.engine, SANDBOX_IMAGE);
    });
    const env = {
      ...process.env,
      DOCKER_HOST: other.host,
      SANDBOX_TEST_IMAGE: SANDBOX_IMAGE,
      SANDBOX_TEST_RUNTIME: runtime,
      SANDBOX_TEST_CHANNEL: channel,
      SANDBOX_TEST_CHANNEL_DIRECTORY: CHANNEL_DIRECTORY,
      SANDBOX_TEST_ENGINE_ROOT: root.path,
    };
    const counts = [];
    for (const [project, files] of Object.entries(projects)) {
      signal.throwIfAborted();
      const args = fileArguments(project, files, jestArguments);
      counts.push((await step(`jest: ${project}, ${title}`, () => runJest(project, args, { env, signal }))).count);
    }
    signal.throwIfAborted();
    return counts;
  } finally {
    await other?.stop();
    forget();
  }
}

/** Chooses the test files. Paths that the caller names replace those of the engine. */
export function fileArguments(project, { paths = [], leftOut = {}, leftOutTests }, jestArguments) {
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
