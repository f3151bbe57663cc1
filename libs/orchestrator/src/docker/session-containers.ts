import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import type Docker from 'dockerode';
import { parseOptions, parseSettings, type SandboxOptions, type SessionSettings } from '@sandbox/sessions';
import type { EnsuredSandbox, Sandbox, SandboxOwner } from '../sandbox-runtime';
import {
  containerName,
  containerSpec,
  discardedName,
  isPersistent,
  KIND,
  LABEL,
  placeOf,
  pooledName,
  pooledSpec,
  specHash,
  waitingName,
  waitingPattern,
} from './container-spec';
import { engineStatus, imageMissing, imageWithoutShell, notOurs } from './engine-errors';
import { withoutNetworkSetup } from './network-setup';
import { prepareVolume, volumeExists } from './workspace-volume';

/** Between two looks at a container that another caller makes or removes, milliseconds; doubled up to the last. */
const FIRST_PAUSE = 5;
const LAST_PAUSE = 250;
/** What was made so long ago and still has its first name was left by a maker that died, milliseconds. */
const ORPHANED_MS = 10_000;

type Inspected = Docker.ContainerInspectInfo;
type Spec = ReturnType<typeof containerSpec>;
type Step = 'adopt' | 'unpause' | 'start' | 'wait' | 'replace';

/** A container under its own name: what it has to be, and what must be there before it starts. */
interface Wanted {
  readonly name: string;
  /** The spec hash that one with these options would have. */
  readonly spec: (options: SandboxOptions) => string;
  /** What Docker is asked; `found` are the options of one that is being replaced. */
  readonly make: (found: SandboxOptions | undefined) => Promise<{ options: SandboxOptions; spec: Spec }>;
  readonly prepare?: (options: SandboxOptions) => Promise<void>;
}

/**
 * Making, finding and removing containers, beside other processes that do the same: the name is the lock, and every outcome that
 * another caller can cause leads to another look. Until its signal aborts; errors are the engine's own.
 */
export class SessionContainers {
  /** Of what waits in the pool. */
  private readonly spec: string;

  constructor(
    private readonly docker: Docker,
    private readonly config: Config,
  ) {
    this.spec = specHash(config);
  }

  async find(key: string, signal: AbortSignal): Promise<Sandbox | null> {
    const found = await this.inspect(containerName(this.config, key), signal);
    return found !== null && this.isOurs(found, key) ? this.toSandbox(found) : null;
  }

  async isRunning(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.inspect(id, signal))?.State.Running ?? false;
  }

  ensure(owner: SandboxOwner, options: SandboxOptions | null, settings: SessionSettings, signal: AbortSignal): Promise<EnsuredSandbox> {
    const wanted: Wanted = {
      name: containerName(this.config, owner.key),
      spec: (own) => specHash(this.config, own),
      make: async (found) => {
        const settled = await this.settle(owner, options ?? found ?? {}, signal);
        return { options: settled, spec: containerSpec(this.config, owner, settled, settings) };
      },
      prepare: async (own) => {
        if (isPersistent(this.config, own)) await prepareVolume(this.docker, this.config, owner, signal);
      },
    };
    return repeatUntilDone(signal, () => this.tryEnsure(wanted, owner.key, signal));
  }

  /** What waits to be claimed, made by these settings; without what has ended, which is removed. */
  async waiting(signal: AbortSignal): Promise<Sandbox[]> {
    const containers = await this.listed(signal, { name: [waitingPattern(this.config, this.spec)] });
    const ended = containers.filter(({ State }) => State === 'exited' || State === 'dead');
    for (const container of ended) await this.discard(this.toListed(container), signal);
    return containers.filter(({ State }) => State === 'running').map((container) => this.toListed(container));
  }

  /** Has one wait in a slot. Null where another process has made it, or is about to: it waits, or has been claimed. */
  async makePooled(slot: number, signal: AbortSignal): Promise<Sandbox | null> {
    const wanted: Wanted = {
      name: pooledName(this.config, this.spec, slot),
      spec: () => this.spec,
      make: async () => ({ options: {}, spec: pooledSpec(this.config, slot) }),
    };
    // Since the caller has looked, another process may have come to this slot.
    if ((await this.listed(signal, { name: [waitingPattern(this.config, this.spec, slot)] })).length > 0) return null;
    const { id, created, createdAt } = await repeatUntilDone(signal, () => this.tryEnsure(wanted, null, signal));
    // Its maker renames it: a rename of another's that comes late could take it from the session that has claimed it by then.
    if (!created && Date.now() - createdAt < ORPHANED_MS) return null;
    const name = waitingName(this.config, this.spec, slot, id);
    if (!(await this.rename(wanted.name, name, signal))) return null;
    const found = await this.inspect(name, signal);
    if (found?.Id === id) return this.toSandbox(found);
    // It had left its first name to the next one, which has now one that says another's id.
    if (found) await this.removeContainer(found.Id, signal);
    return null;
  }

  /**
   * One engine call: no other container ever has the name by which it waited. The engine finds a container by its name before it locks it, so of
   * two renames that come at once both may be done: that callers do not is for them to see to.
   */
  async claim({ key }: SandboxOwner, preferred: Sandbox, signal: AbortSignal): Promise<Sandbox | null> {
    const name = containerName(this.config, key);
    return (await this.rename(preferred.name, name, signal)) ? { ...preferred, name, key, slot: null } : null;
  }

  async isVacant(key: string, signal: AbortSignal): Promise<boolean> {
    if ((await this.inspect(containerName(this.config, key), signal)) !== null) return false;
    return !this.config.ALLOW_PERSISTENT_SESSIONS || !(await volumeExists(this.docker, this.config, key, signal));
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    const found = await this.inspect(containerName(this.config, key), signal);
    if (found === null) return;
    if (!this.isOurs(found, key)) throw notOurs('container');
    await this.removeContainer(found.Id, signal);
  }

  /** By renaming it first: a claim that comes later finds nothing, and a discard that comes later than a claim neither. */
  async discard({ id, name, slot }: Sandbox, signal: AbortSignal): Promise<boolean> {
    if (slot !== null && !(await this.rename(name, discardedName(this.config, id), signal))) return false;
    await this.removeContainer(slot === null ? id : discardedName(this.config, id), signal);
    return true;
  }

  async list(signal: AbortSignal): Promise<Sandbox[]> {
    return (await this.listed(signal)).map((container) => this.toListed(container));
  }

  private listed(signal: AbortSignal, more: { name?: string[] } = {}): Promise<Docker.ContainerInfo[]> {
    const label = [`${LABEL.deployment}=${this.config.DEPLOYMENT}`, `${LABEL.kind}=${KIND.session}`];
    return this.docker.listContainers({ all: true, filters: { label, ...more }, abortSignal: signal });
  }

  /** One look and one step towards a running sandbox; null: look again. */
  private async tryEnsure(wanted: Wanted, key: string | null, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const found = await this.inspect(wanted.name, signal);
    if (found === null) return this.create(wanted, undefined, signal);
    if (!this.isOurs(found, key)) throw notOurs('container');
    const { options } = this.toSandbox(found);
    const step = nextStep(found, wanted.spec(options));
    if (step === 'adopt') return { ...this.toSandbox(found), created: false };
    if (step === 'unpause') await this.unpause(found.Id, signal);
    // Its creator is about to, or has died: starting twice is harmless.
    if (step === 'start') await this.start(found.Id, found.Config.Image, () => wanted.prepare?.(options), signal);
    if (step !== 'replace') return null;
    await this.removeContainer(found.Id, signal);
    return this.create(wanted, options, signal);
  }

  /** Null where another caller was faster: with the name, or with a removal. */
  private async create(wanted: Wanted, replaced: SandboxOptions | undefined, signal: AbortSignal): Promise<EnsuredSandbox | null> {
    const { options, spec: asked } = await wanted.make(replaced);
    const spec = await withoutNetworkSetup(this.docker, this.config, asked, signal);
    let container: Docker.Container;
    try {
      container = await this.docker.createContainer({ ...spec, abortSignal: signal });
    } catch (error) {
      if (engineStatus(error) === 409) return null;
      if (engineStatus(error) === 404) throw imageMissing(spec.Image ?? '', error);
      throw error;
    }
    if (!(await this.start(container.id, spec.Image ?? '', () => wanted.prepare?.(options), signal))) return null;
    const made = await this.inspect(container.id, signal);
    return made && { ...this.toSandbox(made), created: true };
  }

  /** A session that once had a volume has it again, until it is deleted: whether its owner says so or not. */
  private async settle(owner: SandboxOwner, options: SandboxOptions, signal: AbortSignal): Promise<SandboxOptions> {
    const { WORKSPACE_PERSIST_VOLUMES, ALLOW_PERSISTENT_SESSIONS } = this.config;
    if (options.persistent !== undefined || WORKSPACE_PERSIST_VOLUMES || !ALLOW_PERSISTENT_SESSIONS) return options;
    return (await volumeExists(this.docker, this.config, owner.key, signal)) ? { ...options, persistent: true } : options;
  }

  /** False where nothing has that name (any more), or the new one is taken. */
  private async rename(from: string, to: string, signal: AbortSignal): Promise<boolean> {
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
      if (!signal.aborted) await this.removeContainer(id, signal);
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
    return {
      id,
      name,
      ...placeOf(this.config, this.spec, name),
      image,
      options,
      settings: parseSettings(labels[LABEL.settings] ?? ''),
      createdAt,
    };
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
