import type { SandboxOptions, SessionSettings } from '@sandbox/sessions';
import type { VolumeInspectInfo } from 'dockerode';
import type { EnsuredSandbox, Sandbox, SandboxOwner } from '../sandbox-runtime';
import { diskLimit, isPersistent } from '../../options/disk-limit';
import { formatSize } from '../../options/session-options';
import { containerName, containerSpec, specHash } from './container-spec';
import type { Containers } from './containers';
import type { DiskBounds } from './disk-bounds';
import { boundOf, findVolume, limitOf, prepareVolume, workspaceMount } from './workspace-volume';

/** The containers of sessions. Each bears a name that is derived from its session's key. */
export class SessionContainers {
  constructor(
    private readonly containers: Containers,
    private readonly disk: DiskBounds,
  ) {}

  ensureContainer(
    owner: SandboxOwner,
    options: SandboxOptions | null,
    settings: SessionSettings,
    signal: AbortSignal,
  ): Promise<EnsuredSandbox> {
    const { docker, config } = this.containers;
    return this.containers.ensureContainer(
      {
        name: this.name(owner.key),
        key: owner.key,
        specHashFor: (own) => specHash(config, own),
        make: async (found) => {
          const { options: settled, volume } = await this.settle(owner, options ?? found ?? {}, signal);
          const limit = diskLimit(config, settled);
          if (limit === null) return { options: settled, spec: containerSpec(config, owner, settled, settings) };
          const bound = volume === null ? await this.disk.bound(signal) : boundOf(volume);
          const mount = workspaceMount(config, owner, settled, limit, bound);
          return { options: settled, spec: containerSpec(config, owner, settled, settings, mount, bound) };
        },
        prepare: async (id, own) => {
          if (diskLimit(config, own) !== null) await prepareVolume(docker, config, owner, id, signal);
        },
      },
      signal,
    );
  }

  findContainer(key: string, signal: AbortSignal): Promise<Sandbox | null> {
    return this.containers.find(this.name(key), key, signal);
  }

  async isVacant(key: string, signal: AbortSignal): Promise<boolean> {
    const { docker, config } = this.containers;
    if (await this.containers.exists(this.name(key), signal)) return false;
    return !config.ALLOW_PERSISTENT_SESSIONS || (await findVolume(docker, config, key, signal)) === null;
  }

  removeContainer(key: string, signal: AbortSignal): Promise<void> {
    return this.containers.removeNamed(this.name(key), key, signal);
  }

  /**
   * Completes the options of a new container. If the session has a volume, it gets the volume
   * again, whether or not the caller asks for it: a volume stays until its session is deleted. It
   * has the limit that it was made with. That limit becomes an option of its own, so that the
   * session stays as it is if the operator sets another one.
   */
  private async settle(
    owner: SandboxOwner,
    options: SandboxOptions,
    signal: AbortSignal,
  ): Promise<{ options: SandboxOptions; volume: VolumeInspectInfo | null }> {
    const { docker, config } = this.containers;
    const mayHave = options.persistent ?? (config.WORKSPACE_PERSIST_VOLUMES || config.ALLOW_PERSISTENT_SESSIONS);
    const volume = mayHave ? await findVolume(docker, config, owner.key, signal) : null;
    const kept = volume === null || isPersistent(config, options) ? options : { ...options, persistent: true };
    const limit = (volume && limitOf(volume)) ?? diskLimit(config, kept);
    return { options: limit === null ? kept : { ...kept, disk: formatSize(limit) }, volume };
  }

  private name(key: string): string {
    return containerName(this.containers.config, key);
  }
}
