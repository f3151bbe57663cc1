import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canInstallPackages, suite } from './apt.mjs';
import { makeDebianImage } from './debian-image.mjs';
import { imageLabels, pullUnlessPresent, runOnEngine } from './docker-api.mjs';
import { ROOT, say, SetupError } from './steps.mjs';
import { tarOfOneFile } from './tar.mjs';

/** The image that `npm start`, `npm test` and compose make. They leave all other tags alone. */
export const SANDBOX_IMAGE = 'sandbox-api-agent:latest';

/** The label with a hash of the Dockerfile. A changed Dockerfile makes a new image. */
const RECIPE_LABEL = 'sandbox-api.recipe';
/** The label of an image that `scripts/standin-images.mjs` made in the place of a base image. */
export const STAND_IN_LABEL = 'sandbox-api.stand-in';
/** The packages that python:3.12-slim has and a bare Debian lacks. */
export const PYTHON_PACKAGES = ['python3', 'python3-pip', 'python3-venv', 'python-is-python3', 'ca-certificates'];

const BUILD_SILENCE_MS = 120_000;

/**
 * Makes the sandbox image unless it exists. It is built from Dockerfile.agent or, if the base image
 * cannot be pulled, from this distribution's packages. An image with that tag but without our label
 * belongs to the user (or to compose) and is kept.
 */
export async function ensureSandboxImage(engine) {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile.agent'));
  const recipe = createHash('sha256').update(dockerfile).digest('hex');
  const labels = await imageLabels(engine, SANDBOX_IMAGE);
  if (labels !== undefined && (labels[RECIPE_LABEL] ?? recipe) === recipe) return { note: 'up to date' };
  try {
    await buildFromDockerfile(engine, dockerfile, recipe);
    return { note: 'built from Dockerfile.agent' };
  } catch (error) {
    say(`Dockerfile.agent cannot be built here: ${error.message}`);
    if (!canInstallPackages()) {
      throw new SetupError(
        `The sandbox image ${SANDBOX_IMAGE} could not be made (${error.message}). Give the Docker engine access to a registry and its packages, or load an image and name it in CONTAINER_IMAGE.`,
      );
    }
    await makeFromPackages(engine, dockerfile.toString(), recipe);
    return { note: `made from the packages of ${suite()}` };
  }
}

async function buildFromDockerfile(engine, dockerfile, recipe) {
  const [, base] = /^FROM\s+(\S+)/m.exec(dockerfile.toString());
  await pullUnlessPresent(engine, base);
  if ((await imageLabels(engine, base))?.[STAND_IN_LABEL] === 'true') throw new Error(`${base} is a stand-in`);
  say('building Dockerfile.agent');
  const query = new URLSearchParams({
    t: SANDBOX_IMAGE,
    labels: JSON.stringify({ [RECIPE_LABEL]: recipe }),
    buildargs: JSON.stringify(proxies()),
    forcerm: 'true',
  });
  await runOnEngine(engine, {
    path: `/build?${query}`,
    headers: { 'Content-Type': 'application/x-tar' },
    body: tarOfOneFile('Dockerfile', dockerfile),
    silenceMs: BUILD_SILENCE_MS,
  });
}

/**
 * Returns the build arguments for proxies, which every Dockerfile knows. The programs that download
 * something use them.
 */
function proxies() {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
}

async function makeFromPackages(engine, dockerfile, recipe) {
  say(`making ${SANDBOX_IMAGE} from packages of ${suite()} instead (about a minute)`);
  await makeDebianImage(engine, {
    tag: SANDBOX_IMAGE,
    packages: [...PYTHON_PACKAGES, ...packagesOf(dockerfile)],
    hooks: commandsOf(dockerfile).map(inRootDirectory),
    changes: [
      ...dockerfile.match(/^LABEL .*$/gm),
      `LABEL ${RECIPE_LABEL}=${recipe}`,
      'ENV LANG=C.UTF-8',
      'WORKDIR /workspace',
      'USER 1000:1000',
      'CMD ["bash"]',
    ],
  });
}

/**
 * Returns the shell commands of a Dockerfile's RUN instructions, except the first, which installs
 * packages.
 */
export function commandsOf(dockerfile) {
  const instructions = dockerfile.replace(/^#.*\n/gm, '').replace(/\\\n/g, '');
  return [...instructions.matchAll(/^RUN (.*)$/gm)].map(([, command]) => command.trim()).slice(1);
}

/**
 * Makes a hook for mmdebstrap, whose `$1` is the root directory. Base64 saves a second round of
 * quoting.
 */
function inRootDirectory(command) {
  return `echo ${Buffer.from(command).toString('base64')} | base64 -d | chroot "$1" sh -e`;
}

/** Reads the list of tools from Dockerfile.agent, so that there is only one list. */
function packagesOf(dockerfile) {
  const [, list] = /--no-install-recommends([^&;]+)/.exec(dockerfile);
  return list.split(/[\s\\]+/).filter((word) => word !== '');
}
