import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canInstallPackages, suite } from './apt.mjs';
import { makeDebianImage } from './debian-image.mjs';
import { imageLabels, pullUnlessPresent, runOnEngine } from './docker-api.mjs';
import { ROOT, say, SetupError } from './steps.mjs';
import { tarOfOneFile } from './tar.mjs';

/** The image that `npm start`, `npm test` and compose make; everyone else's tags are left alone. */
export const SANDBOX_IMAGE = 'sandbox-api-agent:latest';

/** Of the Dockerfile an image was made from: a newer recipe makes a newer image. */
const RECIPE_LABEL = 'sandbox-api.recipe';
/** What python:3.12-slim brings and a bare Debian lacks. */
const PYTHON_PACKAGES = ['python3', 'python3-pip', 'python3-venv', 'python-is-python3', 'ca-certificates'];

const BUILD_SILENCE_MS = 120_000;

/**
 * Makes the sandbox image unless it is there: from Dockerfile.agent, or, where its base image
 * cannot be had, from this distribution's packages. An image under that tag without our label is
 * the user's (or compose's) and is kept.
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
  await pullUnlessPresent(engine, /^FROM\s+(\S+)/m.exec(dockerfile.toString())[1]);
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

/** Build arguments that every Dockerfile knows; what it downloads takes them. */
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
 * The shell commands of a Dockerfile's RUN instructions, but for the first, which installs
 * packages.
 */
export function commandsOf(dockerfile) {
  const instructions = dockerfile.replace(/^#.*\n/gm, '').replace(/\\\n/g, '');
  return [...instructions.matchAll(/^RUN (.*)$/gm)].map(([, command]) => command.trim()).slice(1);
}

/**
 * A hook of mmdebstrap, whose `$1` is the root directory. Base64 spares the command a second round
 * of quoting.
 */
function inRootDirectory(command) {
  return `echo ${Buffer.from(command).toString('base64')} | base64 -d | chroot "$1" sh -e`;
}

/** The one list of tools lives in Dockerfile.agent. */
function packagesOf(dockerfile) {
  const [, list] = /--no-install-recommends([^&;]+)/.exec(dockerfile);
  return list.split(/[\s\\]+/).filter((word) => word !== '');
}
