import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { TEST_CLUSTER } from '../cluster-under-test';
import { TEST_CHANNEL_DIRECTORY } from '../engine-under-test';
import { clusterHost, dockerHost, type HostedSandbox, type SandboxHost } from './sandbox-hosts';

export const docker = new Docker();

/** The deployments of the test file that runs. */
export const deployments: TestDeployment[] = [];

/** A name space of sandboxes for one test file. `removeAll` removes what the file left. */
export class TestDeployment {
  readonly name = `test-${randomBytes(5).toString('hex')}`;
  private readonly host: SandboxHost;

  /** @param engine the engine that has the containers; by default the machine's own */
  constructor(readonly engine: Docker = docker) {
    this.host = TEST_CLUSTER === null ? dockerHost(engine) : clusterHost(TEST_CLUSTER);
    deployments.push(this);
  }

  containers(): Promise<HostedSandbox[]> {
    return this.host.sandboxes(this.name);
  }

  volumes(): Promise<string[]> {
    return this.host.volumes(this.name);
  }

  /** The directory below CHANNEL_DIRECTORY that has one directory for each container. */
  get channels(): string {
    return join(TEST_CHANNEL_DIRECTORY, createHash('sha256').update(this.name).digest('hex').slice(0, 8));
  }

  /** Kills a sandbox, whose remains stay. */
  killContainer(id: string): Promise<void> {
    return this.host.kill(id);
  }

  /** Removes a sandbox behind the service's back. */
  removeContainer(id: string): Promise<void> {
    return this.host.remove(id);
  }

  async removeAll(): Promise<void> {
    const ignore = (): undefined => undefined;
    for (const { Id } of await this.containers()) await this.removeContainer(Id).catch(ignore);
    for (const name of await this.volumes()) await this.host.removeVolume(name).catch(ignore);
    if (TEST_CHANNEL_DIRECTORY !== '') rmSync(this.channels, { recursive: true, force: true });
  }
}
