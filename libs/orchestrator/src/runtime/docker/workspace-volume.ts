import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import type { SandboxOwner } from '../sandbox-runtime';
import { TAR_BLOCK_BYTES, tarHeader } from '../../bytes/tar-header';
import { KIND, LABEL, ownerLabels, SANDBOX_UID, volumeName, WORKSPACE, workspaceMount } from './container-spec';
import { engineStatus, notOurs } from './engine-errors';

/**
 * Gives the session's volume to the sandbox's user, since a new volume belongs to root. The engine
 * itself does it: it unpacks an archive with one directory entry into a helper container that has
 * the volume. The helper is never started, so no process runs as root. This is done before every
 * first start and can be repeated, so a crash in between leaves no volume that cannot be used.
 * @throws SandboxError INTERNAL_ERROR if a volume of that name is not ours
 */
export async function prepareVolume(docker: Docker, config: Config, owner: SandboxOwner, signal: AbortSignal): Promise<void> {
  const volume = await docker.getVolume(volumeName(config, owner.key)).inspect({ abortSignal: signal });
  if (!isOurVolume(config, owner.key, volume.Labels)) throw notOurs('volume');
  const helper = await docker.createContainer({
    Image: config.CONTAINER_IMAGE,
    Entrypoint: ['sh'],
    Labels: ownerLabels(config, owner, KIND.volumeInit),
    HostConfig: { NetworkMode: 'none', CapDrop: ['ALL'], Mounts: [workspaceMount(config, owner)] },
    abortSignal: signal,
  });
  try {
    const archive = directoryArchive(WORKSPACE.slice(1), SANDBOX_UID, 0o700);
    await helper.putArchive(archive, { path: '/', abortSignal: signal });
  } finally {
    await removeHelper(helper, signal);
  }
}

export async function volumeExists(docker: Docker, config: Config, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    await docker.getVolume(volumeName(config, key)).inspect({ abortSignal: signal });
    return true;
  } catch (error) {
    if (engineStatus(error) === 404) return false;
    throw error;
  }
}

/**
 * Removes the session's volume, if there is one.
 * @returns false if a container still uses the volume
 * @throws SandboxError INTERNAL_ERROR if a volume of that name is not ours
 */
export async function removeVolume(docker: Docker, config: Config, key: string, signal: AbortSignal): Promise<boolean> {
  const volume = docker.getVolume(volumeName(config, key));
  try {
    const { Labels } = await volume.inspect({ abortSignal: signal });
    if (!isOurVolume(config, key, Labels)) throw notOurs('volume');
    // Such a helper was left by a process that died. A live one belongs to a session that is in
    // use.
    await removeHelpers(docker, config, key, signal);
    await volume.remove({ abortSignal: signal });
    return true;
  } catch (error) {
    if (engineStatus(error) === 404) return true;
    if (engineStatus(error) === 409) return false;
    throw error;
  }
}

function isOurVolume(config: Config, key: string, labels: Record<string, string> | null): boolean {
  return labels?.[LABEL.deployment] === config.DEPLOYMENT && labels[LABEL.session] === key;
}

async function removeHelpers(docker: Docker, config: Config, key: string, signal: AbortSignal): Promise<void> {
  const label = [`${LABEL.deployment}=${config.DEPLOYMENT}`, `${LABEL.kind}=${KIND.volumeInit}`, `${LABEL.session}=${key}`];
  const helpers = await docker.listContainers({ all: true, filters: { label }, abortSignal: signal });
  for (const { Id } of helpers) await removeHelper(docker.getContainer(Id), signal);
}

async function removeHelper(helper: Docker.Container, signal: AbortSignal): Promise<void> {
  const options = { force: true, v: true, abortSignal: signal };
  try {
    await helper.remove(options);
  } catch (error) {
    if (engineStatus(error) === null) throw error;
    // The helper is gone or being removed. It never ran, so nothing else has to be cleaned up.
  }
}

/** Returns a tar archive of one directory. */
function directoryArchive(name: string, owner: number, mode: number): Buffer {
  const header = tarHeader({ kind: '5', name: Buffer.from(`${name}/`), mode, owner, modified: Math.floor(Date.now() / 1000) });
  return Buffer.concat([header, Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}
