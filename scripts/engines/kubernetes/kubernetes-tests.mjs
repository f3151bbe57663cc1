import { SANDBOX_IMAGE } from '../../setup/sandbox-image.mjs';
import { run, say, step } from '../../setup/steps.mjs';
import { interruption, OF_EACH_RUNTIME, runProjects, WITH_MEMORY_STORE } from '../runtime-tests.mjs';
import { startCluster } from './cluster.mjs';
import { ensureKubernetesPrograms } from './kubernetes-programs.mjs';

/** The tests of the runtime. But for the manifests, the service is outside of the cluster. */
const OF_RUNTIME = { kubernetes: {} };
/** The tests of the service, which runs as pods of the cluster. */
const OF_SERVICE = {
  e2e: {
    paths: [...OF_EACH_RUNTIME, 'limits', 'ownership', 'pool', 'real-use/disk', 'session-options', 'sessions'],
    leftOutTests: WITH_MEMORY_STORE,
  },
};
const QUICK = {
  kubernetes: {
    leftOut: {
      manifests: 'its replicas need two nodes',
      faults: 'a sandbox on a drained node needs another one',
      'cut-off': 'a sandbox on a node that is cut off needs another one',
    },
  },
};

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
      cluster = await startCluster(programs.path, engine, images, quick ? 1 : 2, quick ? [] : [API_IMAGE]);
    });
    const { stop: _, ...facts } = cluster;
    const env = {
      ...process.env,
      SANDBOX_TEST_IMAGE: SANDBOX_IMAGE,
      SANDBOX_TEST_CHANNEL: 'exec',
      SANDBOX_TEST_CLUSTER: JSON.stringify(facts),
    };
    const test = (projects, more) => runProjects(projects, 'Kubernetes', jestArguments, { env: { ...env, ...more }, signal });
    if (quick) return await test(QUICK);
    return [...(await test(OF_RUNTIME)), ...(await test(OF_SERVICE, { SANDBOX_TEST_SERVICE: 'pods' }))];
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
