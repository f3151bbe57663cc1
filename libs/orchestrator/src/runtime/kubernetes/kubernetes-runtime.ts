import { type Config, ConfigError } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SandboxOptions, SessionNetworkRules, SessionSettings } from '@sandbox/sessions';
import type { DirectListener } from '../../channel/direct-listener';
import type { SandboxProcess } from '../../channel/sandbox-process';
import { type DiskBound, measuredBound } from '../../options/runtime-capabilities';
import { type Surroundings, surroundingsOf } from '../../surroundings/surroundings';
import { withDeadline } from '../deadline';
import type { EnsuredSandbox, RuntimeReport, Sandbox, SandboxOwner, SandboxRuntime, SandboxStart } from '../sandbox-runtime';
import { ApiServer } from './api-server';
import { clusterAccess } from './cluster-access';
import { IsolationCheck } from './isolation';
import { hasNoContainer, sandboxLost, toSandboxError } from './kubernetes-errors';
import { ANNOTATION, deploymentSelector, isDeploymentName } from './names';
import { hasEnded, idOf, type Lease, type Pod } from './objects';
import { CONTAINER } from './pod-spec';
import { Pods } from './pods';
import { Permissions } from './permissions';
import { PooledPods } from './pooled-pods';
import { SessionLocks } from './session-locks';
import { SessionPods } from './session-pods';
import { WorkspaceClaims } from './workspace-claims';

/** How long a node may take to tell of a container that has ended. Kubelets look once a second. */
const ENDING_MS = 5_000;
/** How long the cluster may take for one operation, in milliseconds. */
const DEADLINES = { lifecycle: 40_000, call: 10_000, ping: 5_000 };

/**
 * A cluster gives a node's pods up when it has not heard of the node for 40 s and they have
 * tolerated that for TOLERATION_SECONDS: later than this. So no two pods of a session run commands
 * at the same time.
 */
const LEASE_SECONDS = 60;

/** @throws ConfigError if the cluster cannot be addressed with these settings */
export function createKubernetesRuntime(config: Config): SandboxRuntime {
  return new KubernetesRuntime(config);
}

/** Runs sandboxes as pods of a cluster. It touches only objects with our labels. */
export class KubernetesRuntime implements SandboxRuntime {
  readonly capabilities = { pids: false, persistent: true, disk: true, ociRuntime: true, ulimits: false };
  readonly surroundings: Surroundings | null;
  readonly leaseSeconds = LEASE_SECONDS;
  readonly report: RuntimeReport;
  private readonly server: ApiServer;
  private readonly pods: Pods;
  private readonly locks: SessionLocks;
  private readonly claims: WorkspaceClaims;
  private readonly sessions: SessionPods;
  private readonly pooled: PooledPods;
  private readonly isolation: IsolationCheck;
  private readonly permissions: Permissions;
  /** The image that the cluster did not get the last time that a pod asked for it. */
  private imageFailure: SandboxError | null = null;

  /** @throws ConfigError if the cluster cannot be addressed with these settings */
  constructor(private readonly config: Config) {
    if (!isDeploymentName(config.DEPLOYMENT))
      throw new ConfigError(['DEPLOYMENT may have only a-z, 0-9 and - with SANDBOX_RUNTIME=kubernetes']);
    this.surroundings = surroundingsOf(config);
    this.server = new ApiServer(clusterAccess(config));
    this.pods = new Pods(this.server, config);
    this.report = { onCall: (listener) => this.server.calls.onCall(listener), watch: this.pods.watch.state };
    this.locks = new SessionLocks(this.server, config);
    this.claims = new WorkspaceClaims(this.server, config);
    this.sessions = new SessionPods(this.pods, this.locks, this.claims);
    this.pooled = new PooledPods(this.pods, this.locks);
    this.permissions = new Permissions(this.server);
    this.isolation = new IsolationCheck(this.pods, config.KUBERNETES_REQUIRE_ISOLATION);
  }

  ensureSandbox(owner: SandboxOwner, options: SandboxOptions | null = null, settings: SessionSettings = {}): Promise<EnsuredSandbox> {
    return this.making(async (signal) => {
      await this.isolation.require(signal);
      return this.sessions.ensure({ owner, options, settings }, signal);
    }, options?.image);
  }

  findSandbox(key: string): Promise<Sandbox | null> {
    return operation(DEADLINES.call, (signal) => this.sessions.find(key, signal));
  }

  async *fillPool(size: number): AsyncIterable<Sandbox> {
    const { ready, slots } = await operation(DEADLINES.lifecycle, (signal) => this.pooled.waiting(signal));
    yield* ready;
    // One after another, so that sandboxes for waiting sessions come first.
    for (let slot = 0; slot < size; slot++) {
      if (slots.has(slot)) continue;
      const made = await this.making(async (signal) => {
        await this.isolation.require(signal);
        return this.pooled.make(slot, signal);
      });
      if (made !== null) yield made;
    }
  }

  isVacant(key: string): Promise<boolean> {
    return operation(DEADLINES.call, (signal) => this.sessions.isVacant(key, signal));
  }

  claimSandbox(owner: SandboxOwner, preferred: Sandbox): Promise<Sandbox | null> {
    return operation(DEADLINES.call, (signal) => this.pooled.claim(owner, preferred, signal));
  }

  discardSandbox(sandbox: Sandbox): Promise<boolean> {
    return operation(DEADLINES.lifecycle, (signal) => this.pooled.discard(sandbox, signal));
  }

  startOf(sandboxId: string): Promise<SandboxStart> {
    return operation(DEADLINES.call, async (signal) => {
      const pod = await this.running(sandboxId, signal);
      const container = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER);
      // Without the name of the container runtime before it.
      const id = (container?.containerID ?? '').replace(/^.*:\/\//, '').slice(0, 64);
      return { id: id || sandboxId, again: (container?.restartCount ?? 0) > 0 };
    });
  }

  startProcess(sandboxId: string, argv: readonly string[]): Promise<SandboxProcess> {
    return operation(DEADLINES.call, async (signal) => {
      const name = this.pods.watch.nameOf(sandboxId);
      const pod = name === null ? await this.running(sandboxId, signal) : { metadata: { name } };
      // Both at once: a pod that has got the name since must not be taken for this one.
      const [starting, there] = await Promise.allSettled([this.pods.startProcess(pod, argv, signal), this.running(sandboxId, signal)]);
      if (starting.status === 'fulfilled' && there.status === 'fulfilled') return starting.value;
      if (starting.status === 'fulfilled') starting.value.stream.destroy();
      if (there.status === 'rejected') throw there.reason;
      const { reason } = starting as PromiseRejectedResult;
      // The node knows that the container has ended. It tells the API server soon after.
      const isLost = hasNoContainer(reason) && (await this.pods.hasEndedWithin(ENDING_MS, there.value, signal));
      throw isLost ? sandboxLost(reason) : reason;
    });
  }

  /** A pod has no directory that this process sees too. */
  listenDirectly(): Promise<DirectListener | null> {
    return Promise.resolve(null);
  }

  rememberNetwork(sandboxId: string, rules: SessionNetworkRules): Promise<void> {
    return operation(DEADLINES.call, async (signal) => {
      const key = (await this.pods.findById(sandboxId, signal))?.metadata.annotations?.[ANNOTATION.session];
      if (key === undefined) throw sandboxLost();
      await this.locks.rememberNetwork(key, rules, signal);
    });
  }

  networkRefusal(): string | null {
    return this.pods.resolverPort.refusal;
  }

  removeSandbox(key: string): Promise<void> {
    return operation(DEADLINES.lifecycle, (signal) => this.sessions.remove(key, signal));
  }

  removeVolume(key: string): Promise<boolean> {
    return operation(DEADLINES.lifecycle, async (signal) => {
      // Checked first: a claim that a pod uses would go as soon as that pod ends.
      if ((await this.locks.find(key, signal)) !== null) return false;
      await this.claims.removeVolume(key, signal);
      return true;
    });
  }

  removeLostVolumes(): Promise<number> {
    return operation(DEADLINES.lifecycle, (signal) => this.sessions.removeLostDisks(signal));
  }

  /** Storage classes do not say whether they hold a volume to its size. So PID 1 measures it. */
  diskBound(): Promise<DiskBound> {
    return Promise.resolve(measuredBound(this.config));
  }

  listSandboxes(): Promise<Sandbox[]> {
    return operation(DEADLINES.call, async (signal) => {
      // Locks first: a session that is made meanwhile has its pod in the second list.
      const locks = await this.locks.list(signal);
      const pods = await this.pods.list(deploymentSelector(this.config), signal);
      const sandboxes = pods.map((pod) => this.pods.describe(pod));
      const keys = new Set(sandboxes.map(({ key }) => key));
      return [...sandboxes, ...locks.map((lock) => this.halfMade(lock)).filter(({ key }) => !keys.has(key))];
    });
  }

  ping(): Promise<void> {
    return operation(DEADLINES.ping, async (signal) => {
      await this.server.call({ method: 'GET', path: '/readyz', signal });
      await this.permissions.require(signal);
      this.isolation.throwIfOpen();
    });
  }

  /** No call asks a cluster for an image. Only a pod that did not get it tells. */
  checkImage(): Promise<void> {
    return this.imageFailure === null ? Promise.resolve() : Promise.reject(this.imageFailure);
  }

  /** Notes whether the deployment's image could be had. */
  private async making<T>(work: (signal: AbortSignal) => Promise<T>, image = this.config.CONTAINER_IMAGE): Promise<T> {
    const isDefault = image === this.config.CONTAINER_IMAGE;
    try {
      const made = await operation(DEADLINES.lifecycle, work);
      if (isDefault) this.imageFailure = null;
      return made;
    } catch (error) {
      if (isDefault && error instanceof SandboxError && error.code === ErrorCode.SANDBOX_IMAGE_UNUSABLE) this.imageFailure = error;
      throw error;
    }
  }

  private async running(id: string, signal: AbortSignal): Promise<Pod> {
    const pod = await this.pods.findById(id, signal);
    if (pod === null || pod.status?.phase !== 'Running' || hasEnded(pod)) throw sandboxLost();
    return pod;
  }

  /** A lock without a pod, which a process that died has left. */
  private halfMade(lock: Lease): Sandbox {
    const { name, annotations = {}, creationTimestamp = '' } = lock.metadata;
    const createdAt = Date.parse(creationTimestamp);
    const key = annotations[ANNOTATION.session] ?? null;
    return { id: idOf(lock), name, key, slot: null, image: '', options: {}, settings: {}, createdAt, pooled: false };
  }
}

async function operation<T>(deadline: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  try {
    return await withDeadline(deadline, work);
  } catch (error) {
    throw toSandboxError(error);
  }
}
