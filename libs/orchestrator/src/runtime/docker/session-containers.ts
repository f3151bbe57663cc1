import type { SandboxOptions, SessionSettings } from '@sandbox/sessions';
import type { EnsuredSandbox, SandboxOwner } from '../sandbox-runtime';
import { containerName, containerSpec, isPersistent, specHash } from './container-spec';
import type { Containers } from './containers';
import { prepareVolume, volumeExists } from './workspace-volume';

/** The containers of sessions. Each bears a name that is derived from its session's key. */
export class SessionContainers {
  constructor(private readonly containers: Containers) {}

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
          const settled = await this.settle(owner, options ?? found ?? {}, signal);
          return { options: settled, spec: containerSpec(config, owner, settled, settings) };
        },
        prepare: async (own) => {
          if (isPersistent(config, own)) await prepareVolume(docker, config, owner, signal);
        },
      },
      signal,
    );
  }

  async isVacant(key: string, signal: AbortSignal): Promise<boolean> {
    const { docker, config } = this.containers;
    if (await this.containers.exists(this.name(key), signal)) return false;
    return !config.ALLOW_PERSISTENT_SESSIONS || !(await volumeExists(docker, config, key, signal));
  }

  removeContainer(key: string, signal: AbortSignal): Promise<void> {
    return this.containers.removeNamed(this.name(key), key, signal);
  }

  /**
   * Completes the options of a new container. If the session has a volume, it gets the volume
   * again, whether or not the caller asks for it: a volume stays until its session is deleted.
   */
  private async settle(owner: SandboxOwner, options: SandboxOptions, signal: AbortSignal): Promise<SandboxOptions> {
    const { docker, config } = this.containers;
    if (options.persistent !== undefined || config.WORKSPACE_PERSIST_VOLUMES || !config.ALLOW_PERSISTENT_SESSIONS) return options;
    return (await volumeExists(docker, config, owner.key, signal)) ? { ...options, persistent: true } : options;
  }

  private name(key: string): string {
    return containerName(this.containers.config, key);
  }
}
