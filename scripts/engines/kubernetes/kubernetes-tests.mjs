import { runJest } from '../../run-jest.mjs';
import { SANDBOX_IMAGE } from '../../setup/sandbox-image.mjs';
import { run, say, step } from '../../setup/steps.mjs';
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
      'pool',
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

const QUICK = { paths: ['kubernetes-runtime'], leftOut: { manifests: 'its replicas need two nodes' } };

/** An image of the Dockerfile, as the manifests name it. */
const API_IMAGE = 'sandbox-api:latest';
const REDIS_IMAGE = 'redis:7-alpine';
/** Long enough to build the image without any cache on a slow machine. */
const BUILD_MS = 14 * 60_000;

/** Prints what a run leaves out. */
export function sayKubernetesIsNotRun() {
  say('not run: the tests on a Kubernetes cluster; `npm run test:kubernetes` does, and TEST_ENGINES=all npm test');
}

/**
 * Starts a cluster, runs the tests of the Kubernetes runtime and of the service on it, and removes
 * the cluster again, even if it is interrupted.
 * @param {object} engine this machine's engine, which has the sandbox image
 * @param {readonly string[]} jestArguments
 * @param {{ quick?: boolean }} options quick: one node, and the tests of the runtime alone
 * @returns the counts of each project
 */
export async function testOnKubernetes(engine, jestArguments, { quick = false } = {}) {
  const { signal, forget } = interruption();
  let cluster;
  try {
    const programs = await step('Kubernetes', ensureKubernetesPrograms);
    if (!quick) await step('image of the API', buildApiImage);
    const images = quick ? [SANDBOX_IMAGE] : [SANDBOX_IMAGE, API_IMAGE, REDIS_IMAGE];
    await step(quick ? 'a cluster of one node' : 'a cluster of two nodes', async () => {
      signal.throwIfAborted();
      cluster = await startCluster(programs.path, engine, images, quick ? 1 : 2);
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
    for (const [project, files] of Object.entries(quick ? { kubernetes: QUICK } : PROJECTS)) {
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

/** Without a registry, a machine gets stand-ins for the base images. */
async function buildApiImage() {
  await run(process.execPath, ['scripts/standin-images.mjs'], { deadlineMs: BUILD_MS });
  await run('docker', ['build', '--quiet', '--tag', API_IMAGE, '.'], { deadlineMs: BUILD_MS });
}
