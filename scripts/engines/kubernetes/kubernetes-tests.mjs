import { runJest } from '../../run-jest.mjs';
import { SANDBOX_IMAGE } from '../../setup/sandbox-image.mjs';
import { say, step } from '../../setup/steps.mjs';
import { fileArguments, interruption } from '../other-engines.mjs';
import { startCluster } from './cluster.mjs';
import { ensureKubernetesPrograms } from './kubernetes-programs.mjs';

/** The tests that run on a cluster, by project: see OTHER_ENGINES. The API is outside of it. */
const PROJECTS = {
  kubernetes: {},
  e2e: {
    paths: [
      'archive',
      'execute',
      'input',
      'jobs',
      'limits',
      'network',
      'output',
      'ownership',
      'persistence',
      'previews',
      'real-use/ports',
      'session-options',
      'sessions',
      'streaming',
      'terminal',
      'timeouts',
      'workspace',
    ],
    leftOutTests: {
      names: '\\(memory store, one process\\)',
      reason: 'where the sessions are kept is the same for each runtime',
    },
  },
};

/** Prints what a run leaves out. */
export function sayKubernetesIsNotRun() {
  say('not run: the tests on a Kubernetes cluster; `npm run test:kubernetes` does, and TEST_ENGINES=all npm test');
}

/**
 * Starts a cluster of one node, runs the tests of the Kubernetes runtime and of the service on it,
 * and removes the cluster again, even if it is interrupted.
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
    const counts = [];
    for (const [project, files] of Object.entries(PROJECTS)) {
      signal.throwIfAborted();
      const args = fileArguments(project, files, jestArguments);
      counts.push((await step(`jest: ${project}, Kubernetes`, () => runJest(project, args, { env, signal }))).count);
    }
    signal.throwIfAborted();
    return counts;
  } finally {
    await cluster?.stop();
    forget();
  }
}
