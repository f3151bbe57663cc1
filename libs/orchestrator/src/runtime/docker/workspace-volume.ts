import type { Config } from '@sandbox/config';
import type { SandboxOptions } from '@sandbox/sessions';
import type Docker from 'dockerode';
import type { VolumeInspectInfo } from 'dockerode';
import type { SandboxOwner } from '../sandbox-runtime';
import { SANDBOX_UID } from '../sandbox-user';
import { TAR_BLOCK_BYTES, tarHeader } from '../../bytes/tar-header';
import { isPersistent } from '../../options/disk-limit';
import type { DiskBound } from '../../options/runtime-capabilities';
import { KIND, LABEL, ownerLabels, VOLUME, volumeName, type WorkspaceMount } from './container-spec';
import { WORKSPACE } from '../../surroundings/environment';
import { engineStatus, notOurs } from './engine-errors';

/**
 * Describes the volume at /workspace; Docker makes it with the container where it is not there. A
 * persistent one has a name. Another one has none: Docker removes such a volume with its container,
 * in one step.
 *
 * The local driver's volumes cannot be mounted nosuid or nodev: without capabilities and with
 * no-new-privileges a set-uid file or a device node gains nobody anything, and none can be made.
 * @param limit bytes
 */
export function workspaceMount(
  config: Config,
  owner: SandboxOwner,
  options: SandboxOptions,
  limit: number,
  bound: DiskBound,
): WorkspaceMount {
  const persistent = isPersistent(config, options);
  const labels: Record<string, string> = persistent
    ? { [LABEL.volume]: VOLUME.persistent, [LABEL.disk]: String(limit) }
    : { [LABEL.volume]: VOLUME.disk };
  return {
    Type: 'volume',
    Source: persistent ? volumeName(config, owner.key) : '',
    Target: WORKSPACE,
    VolumeOptions: {
      NoCopy: true,
      Labels: { ...ownerLabels(config, owner, KIND.session), ...labels },
      DriverConfig: { Name: 'local', Options: bound === 'quota' ? sizeOption(limit) : {} },
    },
  };
}

/** The option by which the local driver sets a project quota. An engine that cannot refuses it. */
export function sizeOption(bytes: number): { size: string } {
  return { size: String(bytes) };
}

/**
 * Gives the volume of a container to the sandbox's user, since a new volume belongs to root. The
 * engine itself does it: it unpacks an archive with one directory entry into a helper container
 * that has the volume. The helper is never started, so no process runs as root. This is done before
 * every first start and can be repeated, so a crash in between leaves no volume that cannot be
 * used.
 * @throws SandboxError INTERNAL_ERROR if the volume is not ours
 */
export async function prepareVolume(
  docker: Docker,
  config: Config,
  owner: SandboxOwner,
  container: string,
  signal: AbortSignal,
): Promise<void> {
  const { Mounts } = await docker.getContainer(container).inspect({ abortSignal: signal });
  const name = Mounts.find(({ Destination }) => Destination === WORKSPACE)?.Name ?? '';
  const volume = await docker.getVolume(name).inspect({ abortSignal: signal });
  if (!isOurVolume(config, owner.key, volume.Labels)) throw notOurs('volume');
  const helper = await docker.createContainer({
    Image: config.CONTAINER_IMAGE,
    Entrypoint: ['sh'],
    Labels: ownerLabels(config, owner, KIND.volumeInit),
    HostConfig: {
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      // By its name, so that it does not go with the helper.
      Mounts: [
        {
          Type: 'volume',
          Source: name,
          Target: WORKSPACE,
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
        },
      ],
    },
    abortSignal: signal,
  });
  try {
    const archive = directoryArchive(WORKSPACE.slice(1), SANDBOX_UID, 0o700);
    await helper.putArchive(archive, { path: '/', abortSignal: signal });
  } finally {
    await removeHelper(helper, signal);
  }
}

/** Returns the session's persistent volume, or null if it has none. */
export async function findVolume(docker: Docker, config: Config, key: string, signal: AbortSignal): Promise<VolumeInspectInfo | null> {
  try {
    return await docker.getVolume(volumeName(config, key)).inspect({ abortSignal: signal });
  } catch (error) {
    if (engineStatus(error) === 404) return null;
    throw error;
  }
}

/** Returns the limit that a volume was made with, in bytes; null if an older version made it. */
export function limitOf({ Labels }: VolumeInspectInfo): number | null {
  const bytes = Number(Labels?.[LABEL.disk]);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** Tells whether the kernel bounds a volume. */
export function boundOf({ Options }: VolumeInspectInfo): DiskBound {
  return Options?.size === undefined ? 'measured' : 'quota';
}

/**
 * Removes volumes that should have gone with their container. That is left to do if somebody
 * removed the container without its volumes, or the engine died meanwhile. The engine refuses to
 * remove one that a container has.
 * @returns how many it has removed
 */
export async function removeLostVolumes(docker: Docker, config: Config, signal: AbortSignal): Promise<number> {
  const label = [`${LABEL.deployment}=${config.DEPLOYMENT}`, `${LABEL.volume}=${VOLUME.disk}`];
  const filters = JSON.stringify({ dangling: ['true'], label });
  const { Volumes } = await docker.listVolumes({ filters, abortSignal: signal });
  let removed = 0;
  for (const { Name } of Volumes ?? []) {
    try {
      await docker.getVolume(Name).remove({ abortSignal: signal });
      removed++;
    } catch (error) {
      const status = engineStatus(error);
      if (status !== 404 && status !== 409) throw error;
    }
  }
  return removed;
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
