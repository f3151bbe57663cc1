/**
 * Provides the base images of our Dockerfiles and of docker-compose.yml: `node
 * scripts/standin-images.mjs`. Pulls those that are absent. If no registry has them, makes one
 * image of this machine's distribution, with the programs that they are used for. That image gets
 * their tags and a label that says it is a stand-in. For machines that test without a registry;
 * `docker rmi` removes the images.
 */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { canInstallPackages, suite } from './setup/apt.mjs';
import { makeDebianImage } from './setup/debian-image.mjs';
import { callEngine, pullUnlessPresent } from './setup/docker-api.mjs';
import { ensureDocker } from './setup/docker-engine.mjs';
import { PYTHON_PACKAGES, STAND_IN_LABEL } from './setup/sandbox-image.mjs';
import { runMain, say, SetupError, step, which } from './setup/steps.mjs';

const BASE_IMAGES = ['node:20-slim', 'redis:7-alpine', 'python:3.12-slim'];
const CA_IN_IMAGE = '/usr/local/share/extra-ca.pem';

await runMain(async () => {
  const { engine } = await step('Docker engine', ensureDocker);
  await step('base images', async () => {
    const absent = [];
    for (const image of BASE_IMAGES) {
      try {
        await pullUnlessPresent(engine, image);
      } catch (error) {
        say(`${image} cannot be had: ${error.message}`);
        absent.push(image);
      }
    }
    if (absent.length > 0) await makeStandIns(engine, absent);
    return { note: absent.length > 0 ? `stand-ins: ${absent.join(', ')}` : 'all there' };
  });
});

async function makeStandIns(engine, [first, ...others]) {
  if (!canInstallPackages()) throw new SetupError('Stand-ins for base images can be made as root on Debian or Ubuntu only.');
  say(`making stand-ins from packages of ${suite()} (about a minute)`);
  const npm = dirname(dirname(realpathSync(which('npm'))));
  // The stand-in's npm needs the same certificates to reach its registry as this machine's npm.
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  await makeDebianImage(engine, {
    tag: first,
    packages: [...PYTHON_PACKAGES, 'libatomic1', 'libstdc++6', 'redis-server'],
    hooks: [
      `install -D ${realpathSync(process.execPath)} "$1/usr/local/bin/node"`,
      `mkdir -p "$1/usr/local/lib/node_modules" && cp -r ${npm} "$1/usr/local/lib/node_modules/npm"`,
      'ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"',
      'ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"',
      'chroot "$1" install -d -o redis -g redis /data',
      ...(certificates ? [`install -D -m 0644 ${certificates} "$1${CA_IN_IMAGE}"`] : []),
    ],
    changes: [`LABEL ${STAND_IN_LABEL}=true`, ...(certificates ? [`ENV NODE_EXTRA_CA_CERTS=${CA_IN_IMAGE}`] : []), 'CMD ["bash"]'],
  });
  for (const image of others) {
    const [repo, tag] = image.split(':');
    const query = new URLSearchParams({ repo, tag });
    await callEngine(engine, { method: 'POST', path: `/images/${first}/tag?${query}`, silenceMs: 30_000 });
  }
}
