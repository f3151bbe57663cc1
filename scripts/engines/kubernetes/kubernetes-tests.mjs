import { runJest } from '../../run-jest.mjs';
import { SANDBOX_IMAGE } from '../../setup/sandbox-image.mjs';
import { say, step } from '../../setup/steps.mjs';
import { interruption } from '../other-engines.mjs';
import { startCluster } from './cluster.mjs';
import { ensureKubernetesPrograms } from './kubernetes-programs.mjs';

/** Prints what a run leaves out. */
export function sayKubernetesIsNotRun() {
  say('not run: the tests on a Kubernetes cluster; `npm run test:kubernetes` does, and TEST_ENGINES=all npm test');
}

/**
 * Starts a cluster of one node, runs the tests of the Kubernetes runtime and removes the cluster
 * again, even if it is interrupted.
 * @param {object} engine this machine's engine, which has the sandbox image
 * @param {readonly string[]} jestArguments
 * @returns the counts of each project
 */
export async function testOnKubernetes(engine, jestArguments) {
  const { signal, forget } = interruption();
  let cluster;
  try {
    const programs = await step('Kubernetes', ensureKubernetesPrograms);
    await step('a cluster of one node', async () => {
      signal.throwIfAborted();
      cluster = await startCluster(programs.path, engine, [SANDBOX_IMAGE]);
    });
    const { stop: _, ...facts } = cluster;
    const env = {
      ...process.env,
      SANDBOX_TEST_IMAGE: SANDBOX_IMAGE,
      SANDBOX_TEST_CHANNEL: 'exec',
      SANDBOX_TEST_CLUSTER: JSON.stringify(facts),
    };
    signal.throwIfAborted();
    const { count } = await step('jest: kubernetes', () => runJest('kubernetes', jestArguments, { env, signal }));
    signal.throwIfAborted();
    return [count];
  } finally {
    await cluster?.stop();
    forget();
  }
}
