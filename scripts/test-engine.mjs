/**
 * `npm run test:engine26` and `npm run test:gvisor`: run the tests on another engine, which is set
 * up beside this machine's own. Further arguments go to jest.
 */
import { OTHER_ENGINES, testOnOtherEngine } from './engines/other-engines.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage } from './setup/sandbox-image.mjs';
import { runMain, SetupError, step } from './setup/steps.mjs';
import { ensureTestPrograms } from './setup/test-programs.mjs';
import { finish } from './test-counts.mjs';

await runMain(async () => {
  const [name, ...jestArguments] = process.argv.slice(2);
  if (!Object.hasOwn(OTHER_ENGINES, name)) throw new SetupError(`Which engine? One of ${Object.keys(OTHER_ENGINES).join(', ')}.`);
  await step('packages', installPackages);
  await step('build', build);
  const docker = await step('Docker engine', ensureDocker);
  await step('programs the tests use', ensureTestPrograms);
  await step('sandbox image', () => ensureSandboxImage(docker.engine));
  finish(await testOnOtherEngine(name, docker.engine, jestArguments));
});
