/**
 * `npm run test:kubernetes`: runs the tests of the Kubernetes runtime, and of the service on it,
 * on a cluster of two nodes. It is set up on this machine's loopback and removed again. `--quick`
 * takes one node, and tests the runtime alone. Further arguments go to jest.
 */
import { testOnKubernetes } from './engines/kubernetes/kubernetes-tests.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { build, installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage } from './setup/sandbox-image.mjs';
import { runMain, step } from './setup/steps.mjs';
import { ensureTestPrograms } from './setup/test-programs.mjs';
import { finish } from './test-counts.mjs';

await runMain(async () => {
  await step('packages', installPackages);
  await step('programs the tests use', ensureTestPrograms);
  await step('build', build);
  const docker = await step('Docker engine', ensureDocker);
  await step('sandbox image', () => ensureSandboxImage(docker.engine));
  const [quick, jestArguments] = [process.argv.includes('--quick'), process.argv.slice(2).filter((each) => each !== '--quick')];
  finish(await testOnKubernetes(docker.engine, jestArguments, { quick }));
});
