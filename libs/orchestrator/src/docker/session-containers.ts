import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import type { EnsuredSandbox, Sandbox, SandboxOwner } from '../sandbox-runtime';
import { containerName, containerSpec, KIND, LABEL, specHash } from './container-spec';
import { engineStatus, imageMissing, imageWithoutShell, notOurs } from './engine-errors';
import { prepareVolume } from './workspace-volume';

/** Between two looks at a container that another caller makes or removes, milliseconds; doubled up to the last. */
const FIRST_PAUSE = 5;
const LAST_PAUSE = 250;

type Inspected = Docker.ContainerInspectInfo;
type Step = 'adopt' | 'unpause' | 'start' | 'wait' | 'replace';

/**
 * Making, finding and removing the container of a session, beside other processes that do the same: the name is the lock, and
 * every outcome that another caller can cause leads to another look. Until its signal aborts; errors are the engine's own.
 */
export class SessionContainers {
  private readonly spec: string;

  constructor(
    private readonly docker: Docker,
    private readonly config: Config,
  ) {
    this.spec = specHash(config);
  }

  async find(key: string, signal: AbortSignal): Promise<Sandbox | null> {
    const found = await this.inspect(containerName(this.config, key), signal);
    return found !== null && this.isOurs(found, key) ? toSandbox(found) : null;
  }

  async isRunning(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspect(id, signal))?.State.Running ?? false;
  }

  ensure(owner: SandboxOwner, signal: AbortSignal): Promise<EnsuredSandbox> {
    return repeatUntilDone(signal, () => this.tryEnsure(owner, signal));
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    const found = await this.inspect(containerName(this.config, key), signal);
    if (found === null) return;
    if (!this.isOurs(found, key)) throw notOurs('container');
    await this.removeContainer(found.Id, signal);
  }

  async list(signal: AbortSignal): Promise<Sandbox[]> {
    const label = [`${LABEL.deployment}=${this.config.DEPLOYMENT}`, `${LABEL.kind}=${KIND.session}`];
    const containers = await this.docker.listContainers({ all: true, filters: { label }, abortSignal: signal });
    return containers.map(({ Id, Labels, Image, Created }) => ({
      id: Id,
      key: Labels[LABEL.session] ?? '',
      image: Image,
      createdAt: Created * 1000,
    }));
  }

  /** One look and one step towards a running sandbox; null: look again. */
  private async tryEnsure(owner: SandboxOwner, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const found = await this.inspect(containerName(this.config, owner.key), signal);
    if (found === null) return this.create(owner, signal);
    if (!this.isOurs(found, owner.key)) throw notOurs('container');
    const step = this.nextStep(found);
    if (step === 'adopt') return { ...toSandbox(found), created: false };
    if (step === 'unpause') await this.unpause(found.Id, signal);
    // Its creator is about to, or has died: starting twice is harmless.
    if (step === 'start') await this.start(found.Id, owner, signal);
    if (step === 'replace') await this.removeContainer(found.Id, signal);
    return null;
  }

  private nextStep({ State, Config }: Inspected): Step {
    if (State.Status === 'removing') return 'wait';
    if (Config.Labels[LABEL.spec] !== this.spec) return 'replace';
    if (State.Status === 'running') return 'adopt';
    if (State.Status === 'paused') return 'unpause';
    if (State.Status === 'created') return 'start';
    return 'replace';
  }

  /** Null where another caller was faster: with the name, or with a removal. */
  private async create(owner: SandboxOwner, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    let container: Docker.Container;
    try {
      container = await this.docker.createContainer({ ...containerSpec(this.config, owner), abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 409) return null;
      if (engineStatus(error) === 404) throw imageMissing(this.config.CONTAINER_IMAGE, error);
      throw error;
    }
    if (!(await this.start(container.id, owner, signal))) return null;
    const made = await this.inspect(container.id, signal);
    return made && { ...toSandbox(made), created: true };
  }

  /** First start of a created container. False where it has been removed, or is being removed. */
  private async start(id: string, owner: SandboxOwner, signal: AbortSignal): Promise<boolean> {
    try {
      if (this.config.WORKSPACE_PERSIST_VOLUMES) await prepareVolume(this.docker, this.config, owner, signal);
      await this.docker.getContainer(id).start({ abortSignal: signal });
      return true;
    } catch (error) {
      const status = engineStatus(error);
      if (status === 304) return true;
      if (status === 404 || status === 409) return false;
      // It would fail again; the name must not stay with what cannot run.
      if (!signal.aborted) await this.removeContainer(id, signal);
      // The OCI runtime's message names the program that it could not start.
      if (status !== null && /["'`]sh["'`]/.test((error as Error).message)) throw imageWithoutShell(this.config.CONTAINER_IMAGE, error);
      throw error;
    }
  }

  private async unpause(id: string, signal: AbortSignal): Promise<void> {
    const options = { abortSignal: signal };
    try {
      await this.docker.getContainer(id).unpause(options);
    } catch (error) {
      // A refusal: another caller was faster, or it is gone. The next look tells.
      if (engineStatus(error) === null) throw error;
    }
  }

  /** Resolves when it is gone. Anonymous volumes, which only an image can ask for, go with it; named ones stay. */
  private async removeContainer(id: string, signal: AbortSignal): Promise<void> {
    const options = { force: true, v: true, abortSignal: signal };
    await repeatUntilDone(signal, async () => {
      try {
        await this.docker.getContainer(id).remove(options);
        return true;
      } catch (error) {
        const status = engineStatus(error);
        if (status === 404) return true;
        // Another caller's removal is under way, or a mount is still busy.
        if (status === 409 || status === 500) return null;
        throw error;
      }
    });
  }

  private async inspect(nameOrId: string, signal: AbortSignal): Promise<Inspected | null> {
    try {
      return await this.docker.getContainer(nameOrId).inspect({ abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 404) return null;
      throw error;
    }
  }

  private isOurs({ Config }: Inspected, key: string): boolean {
    const labels = Config.Labels;
    return labels[LABEL.deployment] === this.config.DEPLOYMENT && labels[LABEL.kind] === KIND.session && labels[LABEL.session] === key;
  }
}

function toSandbox({ Id, Config, Created }: Inspected): Sandbox {
  return { id: Id, key: Config.Labels[LABEL.session] ?? '', image: Config.Image, createdAt: Date.parse(Created) };
}

/** Repeats a step that answers null, with growing pauses. @throws the signal's reason once it aborts */
async function repeatUntilDone<T>(signal: AbortSignal, step: () => Promise<T | null>): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LAST_PAUSE)) {
    signal.throwIfAborted();
    const result = await step();
    if (result !== null) return result;
    await sleep(pause, undefined, { signal });
  }
}
