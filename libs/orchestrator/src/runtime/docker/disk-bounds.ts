import { randomBytes } from 'node:crypto';
import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { type DiskBound, measuredBound } from '../../options/runtime-capabilities';
import { LABEL, quotaProbeName, VOLUME } from './container-spec';
import { engineStatus } from './engine-errors';
import { sizeOption } from './workspace-volume';

const PROBE_BYTES = 1024 ** 2;

/**
 * Finds out whether the engine can set quotas on volumes. Its local driver can if its data root is
 * on a file system with project quotas (moby, volume/local: `size`, from 20.10 on). It does not
 * tell, so it is asked for such a volume once.
 */
export class DiskBounds {
  private found: DiskBound | null = null;

  constructor(
    private readonly docker: Docker,
    private readonly config: Config,
  ) {}

  /** @throws the engine's own error if it does not answer */
  async bound(signal: AbortSignal): Promise<DiskBound> {
    this.found ??= await this.probe(signal);
    return this.found;
  }

  private async probe(abortSignal: AbortSignal): Promise<DiskBound> {
    const Name = quotaProbeName(this.config, randomBytes(8).toString('hex'));
    // If this process dies here, the sweeper takes it for a volume that has lost its container.
    const Labels = { [LABEL.deployment]: this.config.DEPLOYMENT, [LABEL.volume]: VOLUME.disk };
    try {
      await this.docker.createVolume({ Name, Driver: 'local', DriverOpts: sizeOption(PROBE_BYTES), Labels, abortSignal });
    } catch (error) {
      if (engineStatus(error) === null) throw error;
      return measuredBound(this.config);
    }
    await this.docker.getVolume(Name).remove({ abortSignal });
    return 'quota';
  }
}
