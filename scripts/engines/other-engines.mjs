import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SANDBOX_IMAGE } from '../setup/sandbox-image.mjs';
import { say, step } from '../setup/steps.mjs';
import { copyImage } from './copy-image.mjs';
import { interruption, OF_EACH_RUNTIME, runProjects, WITH_MEMORY_STORE } from './runtime-tests.mjs';
import { startTrixieEngine } from './trixie-engine.mjs';
import { ensureTrixieRoot } from './trixie-root.mjs';

/** The directory of channels, which the tests and the other engine see under one path. */
const CHANNEL_DIRECTORY = join(tmpdir(), `sandbox-api-engine-${process.getuid?.() ?? 0}`);

/**
 * The engines on which the tests run besides this machine's own, by the name of the npm script
 * `test:NAME`, with the tests of each project that run there.
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
      paths: [...OF_EACH_RUNTIME, 'isolation'],
      leftOutTests: WITH_MEMORY_STORE,
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
    return await runProjects(projects, title, jestArguments, { env, signal });
  } finally {
    await other?.stop();
    forget();
  }
}
