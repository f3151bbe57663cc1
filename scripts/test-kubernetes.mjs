/**
 * `npm run test:kubernetes`: runs the tests of the Kubernetes runtime on a cluster of one
 * node, which is set up on this machine's loopback and removed again. Further arguments go to jest.
 */
import { testOnKubernetes } from './engines/kubernetes/kubernetes-tests.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { installPackages } from './setup/node-project.mjs';
import { ensureSandboxImage } from './setup/sandbox-image.mjs';
import { runMain, step } from './setup/steps.mjs';
import { finish } from './test-counts.mjs';

await runMain(async () => {
  await step('packages', installPackages);
  const docker = await step('Docker engine', ensureDocker);
  await step('sandbox image', () => ensureSandboxImage(docker.engine));
  finish(await testOnKubernetes(docker.engine, process.argv.slice(2)));
});
