import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { formatNetwork, parseNetwork, type SandboxOptions, type SessionNetworkRules } from '@sandbox/sessions';
import { repeatUntilDone } from '../repeat-until-done';
import type { EnsuredSandbox, Sandbox, SandboxStart } from '../sandbox-runtime';
import { type containerSpec, LABEL, specHash } from './container-spec';
import { ChannelDirectories } from './channel-directories';
import type { DirectListener } from '../../channel/direct-listener';
import { engineStatus, imageMissing, imageWithoutShell, notOurs } from './engine-errors';
import { describeSandbox, type Inspected, isOurs, nextStep } from './found-container';
import { withoutNetworkSetup } from './network-setup';

type Spec = ReturnType<typeof containerSpec>;
type MadeSpec = { options: SandboxOptions; spec: Spec };

/** The container that must run under a name: how to recognise it, make it and prepare its start. */
export interface WantedContainer {
  readonly name: string;
  /** SessionRef.key of the session that owns it; null for a pooled container. */
  readonly key: string | null;
  /** Returns the spec hash that a container with these options has. */
  readonly specHashFor: (options: SandboxOptions) => string;
  /**
   * Returns the request to Docker that makes the container.
   * @param found the options of the container that is being replaced; undefined if there is none
   */
  readonly make: (found: SandboxOptions | undefined) => Promise<MadeSpec>;
  /** Runs before each start of the container, which is made then. */
  readonly prepare?: (id: string, options: SandboxOptions) => Promise<void>;
}

/**
 * Makes, finds and removes containers while other processes do the same. The container's name is
 * the lock: Docker lets one caller have it. If another caller can have caused an outcome, the
 * method looks again, until its signal aborts. Methods throw the engine's own errors.
 */
export class Containers {
  /** Spec hash of the containers that wait in the pool. */
  readonly pooledSpec: string;
  private readonly directories: ChannelDirectories;

  constructor(
    readonly docker: Docker,
    readonly config: Config,
  ) {
    this.pooledSpec = specHash(config);
    this.directories = new ChannelDirectories(config);
  }

  async find(name: string, key: string | null, signal: AbortSignal): Promise<Sandbox | null> {
    const found = await this.inspectContainer(name, signal);
    return found !== null && isOurs(this.config, found, key) ? this.toSandbox(found) : null;
  }

  async exists(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspectContainer(name, signal)) !== null;
  }

  async isRunning(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspectContainer(id, signal))?.State.Running ?? false;
  }

  /**
   * The start that a container is in; null where it does not run. The engine notes the time of each
   * start, and keeps it through a pause and through its own restart. A container that has never
   * ended has the year 1 for its end.
   */
  async startOf(id: string, signal: AbortSignal): Promise<SandboxStart | null> {
    const state = (await this.inspectContainer(id, signal))?.State;
    return state?.Running ? { id: state.StartedAt.slice(0, 64), again: Date.parse(state.FinishedAt) > 0 } : null;
  }

  /**
   * Lists every container of our deployment. That includes those that wait in the pool and those
   * that a dead process left half made, such as a helper that prepares a volume.
   */
  async listContainers(signal: AbortSignal): Promise<Sandbox[]> {
    const listed = await this.listed(signal);
    void this.directories.sweep(new Set(listed.map(({ Labels }) => Labels[LABEL.channel])));
    return listed.map((container) => this.toListed(container));
  }

  /**
   * Lists the containers of our deployment whose name matches.
   * @param pattern a regular expression, as the engine's `name` filter takes it
   * @returns each with the engine's word for its state
   */
  async listByName(pattern: string, signal: AbortSignal): Promise<{ sandbox: Sandbox; state: string }[]> {
    const found = await this.listed(signal, { name: [pattern] });
    return found.map((container) => ({ sandbox: this.toListed(container), state: container.State }));
  }

  ensureContainer(wanted: WantedContainer, signal: AbortSignal): Promise<EnsuredSandbox> {
    return repeatUntilDone(signal, () => this.tryEnsure(wanted, signal));
  }

  /** Returns false if no container has the old name, or another one has the new name. */
  async renameContainer(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.docker.getContainer(from).rename({ name: to, abortSignal: signal });
      return true;
    } catch (error) {
      const status = engineStatus(error);
      if (status === 404 || status === 409) return false;
      // The container has the new name already.
      if (status === 400) return true;
      throw error;
    }
  }

  /**
   * Removes the container of that name, if there is one.
   * @throws SandboxError INTERNAL_ERROR if the container is not ours
   */
  async removeNamed(name: string, key: string, signal: AbortSignal): Promise<void> {
    const found = await this.inspectContainer(name, signal);
    if (found === null) return;
    if (!isOurs(this.config, found, key)) throw notOurs('container');
    await this.removeFound(found, signal);
  }

  /**
   * Removes a container and resolves when it is gone. Its anonymous volumes, which only an image
   * can ask for, go with it. Named volumes stay.
   */
  async removeContainer(nameOrId: string, signal: AbortSignal): Promise<void> {
    const found = this.directories.areOn ? await this.inspectContainer(nameOrId, signal) : null;
    if (found === null) await this.removeAlone(nameOrId, signal);
    else await this.removeFound(found, signal);
  }

  /** Removes a container, and then its directory, whose name its label has. */
  private async removeFound({ Id, Config }: Inspected, signal: AbortSignal): Promise<void> {
    await this.removeAlone(Id, signal);
    await this.directories.removeDirectory(Config.Labels[LABEL.channel]);
  }

  private async removeAlone(nameOrId: string, signal: AbortSignal): Promise<void> {
    const options = { force: true, v: true, abortSignal: signal };
    await repeatUntilDone(signal, async () => {
      try {
        await this.docker.getContainer(nameOrId).remove(options);
        return true;
      } catch (error) {
        const status = engineStatus(error);
        if (status === 404) return true;
        // Another caller is removing it, or one of its mounts is still busy.
        if (status === 409 || status === 500) return null;
        throw error;
      }
    });
  }

  /** Listens in the container's directory. Null if it has none. */
  async listenDirectly(id: string, signal: AbortSignal): Promise<DirectListener | null> {
    if (!this.directories.areOn) return null;
    const found = await this.inspectContainer(id, signal);
    return this.directories.listen(found?.Config.Labels[LABEL.channel]);
  }

  /** Notes the rules of the network of a container's session beside the container. */
  async rememberNetwork(id: string, rules: SessionNetworkRules, signal: AbortSignal): Promise<void> {
    const found = await this.inspectContainer(id, signal);
    await this.directories.writeNote(found?.Config.Labels[LABEL.channel], formatNetwork(rules));
  }

  /**
   * Adds the noted rules of its session's network to a sandbox. Rules that may be lost allow
   * nothing.
   */
  private async withNetwork(sandbox: Sandbox, found: Inspected): Promise<Sandbox> {
    if (this.config.EGRESS_ALLOW.length === 0) return sandbox;
    const note = await this.directories.readNote(found.Config.Labels[LABEL.channel]);
    const network = note === null ? { allow: [] } : parseNetwork(note);
    return network === null ? sandbox : { ...sandbox, settings: { ...sandbox.settings, network } };
  }

  private listed(signal: AbortSignal, more: { name?: string[] } = {}): Promise<Docker.ContainerInfo[]> {
    const label = [`${LABEL.deployment}=${this.config.DEPLOYMENT}`];
    return this.docker.listContainers({ all: true, filters: { label, ...more }, abortSignal: signal });
  }

  /** Looks once and takes one step towards a running container. Null means: look again. */
  private async tryEnsure(wanted: WantedContainer, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const found = await this.inspectContainer(wanted.name, signal);
    if (found === null) return this.createContainer(wanted, undefined, signal);
    if (!isOurs(this.config, found, wanted.key)) throw notOurs('container');
    const sandbox = this.toSandbox(found);
    const { options } = sandbox;
    const step = nextStep(found, wanted.specHashFor(options));
    if (step === 'adopt') return { ...(await this.withNetwork(sandbox, found)), created: false };
    if (step === 'unpause') await this.unpauseContainer(found.Id, signal);
    // Its creator is about to start it, or has died. Starting it twice is harmless.
    if (step === 'start') await this.startLeft(found, () => wanted.prepare?.(found.Id, options), signal);
    if (step !== 'replace') return null;
    // They are the session's, which goes on in the next container.
    const { network } = (await this.withNetwork(sandbox, found)).settings;
    await this.removeFound(found, signal);
    const made = await this.createContainer(wanted, options, signal);
    return made && network ? { ...made, settings: { ...made.settings, network } } : made;
  }

  /** Returns null if another caller took the name first, or removed the new container. */
  private async createContainer(
    wanted: WantedContainer,
    replaced: SandboxOptions | undefined,
    signal: AbortSignal,
  ): Promise<EnsuredSandbox | null> {
    const made = await wanted.make(replaced);
    const channel = await this.directories.makeDirectory();
    try {
      const sandbox = await this.createFrom(wanted, channel === null ? made : this.withDirectory(made, channel), signal);
      if (sandbox === null && channel !== null) await this.directories.removeDirectory(channel);
      return sandbox;
    } catch (error) {
      // A call that ran out of time may have left a container, which another one adopts.
      if (channel === null || signal.aborted) throw error;
      await this.directories.removeDirectory(channel);
      if (!this.directories.isCauseOf(error)) throw error;
      // The engine is on another machine, or does not share the directory.
      this.directories.turnOff((error as Error).message);
      return this.createFrom(wanted, made, signal);
    }
  }

  private withDirectory({ options, spec }: MadeSpec, channel: string): MadeSpec {
    const Labels = { ...spec.Labels, [LABEL.channel]: channel };
    const Mounts = [...(spec.HostConfig.Mounts ?? []), this.directories.mount(channel)];
    return { options, spec: { ...spec, Labels, HostConfig: { ...spec.HostConfig, Mounts } } };
  }

  private async createFrom(wanted: WantedContainer, { options, spec }: MadeSpec, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    let container: Docker.Container;
    try {
      const asked = await withoutNetworkSetup(this.docker, this.config, spec, signal);
      container = await this.docker.createContainer({ ...asked, abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 409) return null;
      if (engineStatus(error) === 404) throw imageMissing(spec.Image ?? '', error);
      throw error;
    }
    if (!(await this.startContainer(container.id, spec.Image ?? '', () => wanted.prepare?.(container.id, options), signal))) return null;
    const made = await this.inspectContainer(container.id, signal);
    return made && { ...this.toSandbox(made), created: true };
  }

  /** Starts a created container. Returns false if another caller has removed or is removing it. */
  private async startContainer(id: string, image: string, prepare: () => Promise<void> | undefined, signal: AbortSignal): Promise<boolean> {
    try {
      await prepare();
      await this.docker.getContainer(id).start({ abortSignal: signal });
      return true;
    } catch (error) {
      const status = engineStatus(error);
      if (status === 304) return true;
      if (status === 404 || status === 409) return false;
      // A second start would fail too, so the container must not keep the name.
      if (!signal.aborted) await this.removeContainer(id, signal);
      // The OCI runtime's message names the program that it could not start.
      if (status !== null && /["'`]sh["'`]/.test((error as Error).message)) throw imageWithoutShell(image, error);
      throw error;
    }
  }

  /**
   * Starts a container that a process made which has died. If its directory is gone, it is removed.
   */
  private async startLeft({ Id, Config }: Inspected, prepare: () => Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    try {
      await this.startContainer(Id, Config.Image, prepare, signal);
    } catch (error) {
      if (!this.directories.isCauseOf(error)) throw error;
    }
  }

  private async unpauseContainer(id: string, signal: AbortSignal): Promise<void> {
    const options = { abortSignal: signal };
    try {
      await this.docker.getContainer(id).unpause(options);
    } catch (error) {
      // The engine refused: another caller was faster, or the container is gone. The next look
      // tells.
      if (engineStatus(error) === null) throw error;
    }
  }

  private toSandbox({ Id, Name, Config, Created }: Inspected): Sandbox {
    return describeSandbox(this.config, this.pooledSpec, {
      id: Id,
      name: Name,
      labels: Config.Labels,
      image: Config.Image,
      createdAt: Date.parse(Created),
    });
  }

  private toListed({ Id, Names, Labels, Image, Created }: Docker.ContainerInfo): Sandbox {
    return describeSandbox(this.config, this.pooledSpec, {
      id: Id,
      name: Names[0] ?? '',
      labels: Labels,
      image: Image,
      createdAt: Created * 1000,
    });
  }

  private async inspectContainer(nameOrId: string, signal: AbortSignal): Promise<Inspected | null> {
    try {
      return await this.docker.getContainer(nameOrId).inspect({ abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 404) return null;
      throw error;
    }
  }
}
