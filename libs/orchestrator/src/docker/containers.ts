import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { parseOptions, parseSettings, type SandboxOptions } from '@sandbox/sessions';
import type { EnsuredSandbox, Sandbox } from '../sandbox-runtime';
import { type containerSpec, KIND, LABEL, placeOf, specHash } from './container-spec';
import { engineStatus, imageMissing, imageWithoutShell, notOurs } from './engine-errors';
import { withoutNetworkSetup } from './network-setup';

/** Between two looks at a container that another caller makes or removes, milliseconds; doubled up to the last. */
const FIRST_PAUSE = 5;
const LAST_PAUSE = 250;

type Inspected = Docker.ContainerInspectInfo;
type Spec = ReturnType<typeof containerSpec>;
type Step = 'adopt' | 'unpause' | 'start' | 'wait' | 'replace';

/** A container under its own name: what it has to be, and what must be there before it starts. */
export interface Wanted {
  readonly name: string;
  /** Of the session whose it is, if of any. */
  readonly key: string | null;
  /** The spec hash that one with these options would have. */
  readonly spec: (options: SandboxOptions) => string;
  /** What Docker is asked; `found` are the options of one that is being replaced. */
  readonly make: (found: SandboxOptions | undefined) => Promise<{ options: SandboxOptions; spec: Spec }>;
  readonly prepare?: (options: SandboxOptions) => Promise<void>;
}

/**
 * The steps of making, finding and removing containers, beside other processes that do the same: the name is the lock, and every outcome
 * that another caller can cause leads to another look. Until the signal aborts; errors are the engine's own.
 */
export class Containers {
  /** Hash of the spec of what waits in the pool. */
  readonly pooledSpec: string;

  constructor(
    readonly docker: Docker,
    readonly config: Config,
  ) {
    this.pooledSpec = specHash(config);
  }

  async find(name: string, key: string | null, signal: AbortSignal): Promise<Sandbox | null> {
    const found = await this.inspect(name, signal);
    return found !== null && this.isOurs(found, key) ? this.toSandbox(found) : null;
  }

  async exists(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspect(name, signal)) !== null;
  }

  async isRunning(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspect(id, signal))?.State.Running ?? false;
  }

  /** Also what is nobody's: what waits, and what a process that died has left half-way, such as a volume's first container. */
  async list(signal: AbortSignal): Promise<Sandbox[]> {
    return (await this.listed(signal)).map((container) => this.toListed(container));
  }

  /** Of our deployment, those whose name matches; with the engine's word for each one's state. */
  async listByName(pattern: string, signal: AbortSignal): Promise<{ sandbox: Sandbox; state: string }[]> {
    const found = await this.listed(signal, { name: [pattern] });
    return found.map((container) => ({ sandbox: this.toListed(container), state: container.State }));
  }

  ensure(wanted: Wanted, signal: AbortSignal): Promise<EnsuredSandbox> {
    return repeatUntilDone(signal, () => this.tryEnsure(wanted, signal));
  }

  /** False where nothing has that name (any more), or the new one is taken. */
  async rename(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.docker.getContainer(from).rename({ name: to, abortSignal: signal });
      return true;
    } catch (error) {
      const status = engineStatus(error);
      if (status === 404 || status === 409) return false;
      // It has that name already.
      if (status === 400) return true;
      throw error;
    }
  }

  /** Where there is one. @throws SandboxError INTERNAL_ERROR where it is not ours */
  async removeNamed(name: string, key: string, signal: AbortSignal): Promise<void> {
    const found = await this.inspect(name, signal);
    if (found === null) return;
    if (!this.isOurs(found, key)) throw notOurs('container');
    await this.remove(found.Id, signal);
  }

  /** Resolves when it is gone. Anonymous volumes, which only an image can ask for, go with it; named ones stay. */
  async remove(nameOrId: string, signal: AbortSignal): Promise<void> {
    const options = { force: true, v: true, abortSignal: signal };
    await repeatUntilDone(signal, async () => {
      try {
        await this.docker.getContainer(nameOrId).remove(options);
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

  private listed(signal: AbortSignal, more: { name?: string[] } = {}): Promise<Docker.ContainerInfo[]> {
    const label = [`${LABEL.deployment}=${this.config.DEPLOYMENT}`];
    return this.docker.listContainers({ all: true, filters: { label, ...more }, abortSignal: signal });
  }

  /** One look and one step towards a running sandbox; null: look again. */
  private async tryEnsure(wanted: Wanted, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const found = await this.inspect(wanted.name, signal);
    if (found === null) return this.create(wanted, undefined, signal);
    if (!this.isOurs(found, wanted.key)) throw notOurs('container');
    const { options } = this.toSandbox(found);
    const step = nextStep(found, wanted.spec(options));
    if (step === 'adopt') return { ...this.toSandbox(found), created: false };
    if (step === 'unpause') await this.unpause(found.Id, signal);
    // Its creator is about to, or has died: starting twice is harmless.
    if (step === 'start') await this.start(found.Id, found.Config.Image, () => wanted.prepare?.(options), signal);
    if (step !== 'replace') return null;
    await this.remove(found.Id, signal);
    return this.create(wanted, options, signal);
  }

  /** Null where another caller was faster: with the name, or with a removal. */
  private async create(wanted: Wanted, replaced: SandboxOptions | undefined, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const { options, spec } = await wanted.make(replaced);
    let container: Docker.Container;
    try {
      const asked = await withoutNetworkSetup(this.docker, this.config, spec, signal);
      container = await this.docker.createContainer({ ...asked, abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 409) return null;
      if (engineStatus(error) === 404) throw imageMissing(spec.Image ?? '', error);
      throw error;
    }
    if (!(await this.start(container.id, spec.Image ?? '', () => wanted.prepare?.(options), signal))) return null;
    const made = await this.inspect(container.id, signal);
    return made && { ...this.toSandbox(made), created: true };
  }

  /** First start of a created container. False where it has been removed, or is being removed. */
  private async start(id: string, image: string, prepare: () => Promise<void> | undefined, signal: AbortSignal): Promise<boolean> {
    try {
      await prepare();
      await this.docker.getContainer(id).start({ abortSignal: signal });
      return true;
    } catch (error) {
      const status = engineStatus(error);
      if (status === 304) return true;
      if (status === 404 || status === 409) return false;
      // It would fail again; the name must not stay with what cannot run.
      if (!signal.aborted) await this.remove(id, signal);
      // The OCI runtime's message names the program that it could not start.
      if (status !== null && /["'`]sh["'`]/.test((error as Error).message)) throw imageWithoutShell(image, error);
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

  private async inspect(nameOrId: string, signal: AbortSignal): Promise<Inspected | null> {
    try {
      return await this.docker.getContainer(nameOrId).inspect({ abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 404) return null;
      throw error;
    }
  }

  /** A claimed one has no session in its labels: its name, by which it was found, says whose it is. */
  private isOurs({ Config }: Inspected, key: string | null): boolean {
    const { [LABEL.deployment]: deployment, [LABEL.kind]: kind, [LABEL.session]: session } = Config.Labels;
    return deployment === this.config.DEPLOYMENT && kind === KIND.session && (session === undefined || session === key);
  }

  private toSandbox({ Id, Name, Config, Created }: Inspected): Sandbox {
    return this.sandbox(Id, Name, Config.Labels, Config.Image, Date.parse(Created));
  }

  private toListed({ Id, Names, Labels, Image, Created }: Docker.ContainerInfo): Sandbox {
    return this.sandbox(Id, Names[0] ?? '', Labels, Image, Created * 1000);
  }

  private sandbox(id: string, slashedName: string, labels: Record<string, string>, image: string, createdAt: number): Sandbox {
    const name = slashedName.replace(/^\//, '');
    const options = parseOptions(labels[LABEL.options] ?? '');
    const settings = parseSettings(labels[LABEL.settings] ?? '');
    const pooled = labels[LABEL.session] === undefined;
    return { id, name, ...placeOf(this.config, this.pooledSpec, name), image, options, settings, createdAt, pooled };
  }
}

function nextStep({ State, Config }: Inspected, spec: string): Step {
  if (State.Status === 'removing') return 'wait';
  if (Config.Labels[LABEL.spec] !== spec) return 'replace';
  if (State.Status === 'running') return 'adopt';
  if (State.Status === 'paused') return 'unpause';
  if (State.Status === 'created') return 'start';
  return 'replace';
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
