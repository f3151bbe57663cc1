import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@sandbox/config';
import type { SandboxOptions, SessionNetworkRules, SessionSettings } from '@sandbox/sessions';
import Docker from 'dockerode';
import type { EnsuredSandbox, Sandbox, SandboxOwner, SandboxRuntime, SandboxStart } from '../sandbox-runtime';
import type { DiskBound } from '../../options/runtime-capabilities';
import type { DirectListener } from '../../channel/direct-listener';
import type { SandboxProcess } from '../../channel/sandbox-process';
import { type Surroundings, surroundingsOf } from '../../surroundings/surroundings';
import { Containers } from './containers';
import { withDeadline } from '../deadline';
import { DiskBounds } from './disk-bounds';
import { engineAddress } from './engine-address';
import { engineStatus, imageMissing, sandboxLost, toSandboxError } from './engine-errors';
import { engineGet } from './engine-get';
import { execProcess } from './exec-process';
import { PooledContainers } from './pooled-containers';
import { SessionContainers } from './session-containers';
import { removeLostVolumes, removeVolume } from './workspace-volume';

/** How long the engine may take for one operation, in milliseconds. */
export interface EngineDeadlines {
  /** Making or removing a container. Twenty at once keep a small engine busy for seconds. */
  readonly lifecycle: number;
  readonly call: number;
  readonly ping: number;
}

const DEADLINES: EngineDeadlines = { lifecycle: 30_000, call: 10_000, ping: 2_000 };

/** How often the engine is asked for the exit code of an exec whose stream has closed. */
const EXIT_CODE_TRIES = 5;
const EXIT_CODE_INTERVAL_MS = 50;

/** @throws Error if DOCKER_HOST cannot be used */
export function createDockerRuntime(config: Config, deadlines?: EngineDeadlines): SandboxRuntime {
  return new DockerRuntime(config, deadlines);
}

/** Runs sandboxes as containers of a Docker engine. It touches only containers with our labels. */
export class DockerRuntime implements SandboxRuntime {
  readonly capabilities = { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true };
  readonly surroundings: Surroundings | null;
  readonly leaseSeconds = null;
  readonly report = null;
  private readonly docker: Docker;
  private readonly containers: Containers;
  private readonly sessions: SessionContainers;
  private readonly pooled: PooledContainers;
  private readonly disk: DiskBounds;

  /** @throws Error if DOCKER_HOST cannot be used */
  constructor(
    private readonly config: Config,
    private readonly deadlines: EngineDeadlines = DEADLINES,
  ) {
    this.docker = new Docker(engineAddress(config));
    this.surroundings = surroundingsOf(config);
    this.containers = new Containers(this.docker, config);
    this.disk = new DiskBounds(this.docker, config);
    this.sessions = new SessionContainers(this.containers, this.disk);
    this.pooled = new PooledContainers(this.containers);
  }

  ensureSandbox(owner: SandboxOwner, options: SandboxOptions | null = null, settings: SessionSettings = {}): Promise<EnsuredSandbox> {
    return operation(this.deadlines.lifecycle, (signal) => this.sessions.ensureContainer(owner, options, settings, signal));
  }

  findSandbox(key: string): Promise<Sandbox | null> {
    return operation(this.deadlines.call, (signal) => this.sessions.findContainer(key, signal));
  }

  async *fillPool(size: number): AsyncIterable<Sandbox> {
    const given = new Set<string>();
    const waiting = await this.waiting();
    for (const sandbox of waiting) yield (given.add(sandbox.id), sandbox);
    const taken = new Set(waiting.map(({ slot }) => slot?.number));
    const vacant = Array.from({ length: size }, (_, slot) => slot).filter((slot) => !taken.has(slot));
    let elsewhere = false;
    // One after another, so that sandboxes for waiting sessions come first.
    for (const slot of vacant) {
      const made = await operation(this.deadlines.lifecycle, (signal) => this.pooled.makeContainer(slot, signal));
      if (made) yield (given.add(made.id), made);
      else elsewhere = true;
    }
    if (elsewhere) yield* (await this.waiting()).filter(({ id }) => !given.has(id));
  }

  isVacant(key: string): Promise<boolean> {
    return operation(this.deadlines.call, (signal) => this.sessions.isVacant(key, signal));
  }

  claimSandbox(owner: SandboxOwner, preferred: Sandbox): Promise<Sandbox | null> {
    return operation(this.deadlines.call, (signal) => this.pooled.claimContainer(owner, preferred, signal));
  }

  discardSandbox(sandbox: Sandbox): Promise<boolean> {
    return operation(this.deadlines.lifecycle, (signal) => this.pooled.discardContainer(sandbox, signal));
  }

  startOf(sandboxId: string): Promise<SandboxStart> {
    return operation(this.deadlines.call, async (signal) => {
      const start = await this.containers.startOf(sandboxId, signal);
      if (start === null) throw sandboxLost(new Error('The container is not running.'));
      return start;
    });
  }

  startProcess(sandboxId: string, argv: readonly string[]): Promise<SandboxProcess> {
    return operation(this.deadlines.call, async (signal) => {
      try {
        return await this.startExec(sandboxId, argv, signal);
      } catch (error) {
        const status = engineStatus(error);
        if (status === 404 || status === 409) throw sandboxLost(error);
        // If the container has just ended, the engine answers the exec with a server error.
        if (status !== null && !(await this.containers.isRunning(sandboxId, signal))) throw sandboxLost(error);
        throw error;
      }
    });
  }

  listenDirectly(sandboxId: string): Promise<DirectListener | null> {
    return operation(this.deadlines.call, (signal) => this.containers.listenDirectly(sandboxId, signal));
  }

  rememberNetwork(sandboxId: string, rules: SessionNetworkRules): Promise<void> {
    return operation(this.deadlines.call, (signal) => this.containers.rememberNetwork(sandboxId, rules, signal));
  }

  networkRefusal(): null {
    return null;
  }

  removeSandbox(key: string): Promise<void> {
    return operation(this.deadlines.lifecycle, (signal) => this.sessions.removeContainer(key, signal));
  }

  removeVolume(key: string): Promise<boolean> {
    return operation(this.deadlines.call, (signal) => removeVolume(this.docker, this.config, key, signal));
  }

  removeLostVolumes(): Promise<number> {
    return operation(this.deadlines.lifecycle, (signal) => removeLostVolumes(this.docker, this.config, signal));
  }

  diskBound(): Promise<DiskBound> {
    return operation(this.deadlines.ping, (signal) => this.disk.bound(signal));
  }

  listSandboxes(): Promise<Sandbox[]> {
    return operation(this.deadlines.call, (signal) => this.containers.listContainers(signal));
  }

  ping(): Promise<void> {
    return operation(this.deadlines.ping, async (signal) => void (await engineGet(this.docker, '/_ping', signal)));
  }

  checkImage(): Promise<void> {
    return operation(this.deadlines.ping, async (signal) => {
      try {
        await engineGet(this.docker, `/images/${this.config.CONTAINER_IMAGE}/json`, signal);
      } catch (error) {
        throw engineStatus(error) === 404 ? imageMissing(this.config.CONTAINER_IMAGE, error) : error;
      }
    });
  }

  private waiting(): Promise<Sandbox[]> {
    return operation(this.deadlines.lifecycle, (signal) => this.pooled.waiting(signal));
  }

  private async startExec(id: string, argv: readonly string[], signal: AbortSignal): Promise<SandboxProcess> {
    const exec = await this.docker.getContainer(id).exec({
      Cmd: [...argv],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      abortSignal: signal,
    });
    const socket: Duplex = await exec.start({ hijack: true, Tty: false, Detach: false, abortSignal: signal });
    return execProcess(socket, () => this.exitCode(exec));
  }

  private async exitCode(exec: Docker.Exec): Promise<number | null> {
    try {
      return await withDeadline(this.deadlines.call, async (signal) => {
        for (let tries = 0; tries < EXIT_CODE_TRIES; tries++) {
          const { Running, ExitCode } = await exec.inspect({ abortSignal: signal });
          if (!Running) return ExitCode;
          await sleep(EXIT_CODE_INTERVAL_MS, undefined, { signal });
        }
        return null;
      });
    } catch {
      return null;
    }
  }
}

async function operation<T>(deadline: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  try {
    return await withDeadline(deadline, work);
  } catch (error) {
    throw toSandboxError(error);
  }
}
