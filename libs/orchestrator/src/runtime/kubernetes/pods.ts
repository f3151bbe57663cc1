import type { Config } from '@sandbox/config';
import { parseOptions, parseSettings, type SandboxOptions } from '@sandbox/sessions';
import { withDeadline } from '../deadline';
import type { Sandbox } from '../sandbox-runtime';
import type { ApiServer } from './api-server';
import { execProcess } from './exec-process';
import { nullIf, statusOf } from './kubernetes-errors';
import { ANNOTATION, deploymentSelector, LABEL } from './names';
import { hasEnded, idOf, isReady, type Pod } from './objects';
import { CONTAINER, CLUSTER_VARIABLES, type PodRequest, specHash, withoutNetwork } from './pod-spec';
import { PodWatch } from './pod-watch';
import type { SandboxProcess } from '../../channel/sandbox-process';
import { notStarted, podFailure } from './pod-failure';
import { ResolverPort } from './resolver-port';

/** How long a pod may take until it runs. Its image may have to be fetched first. */
const START_MS = 25_000;
/** How long the processes of a pod may take to die before its removal is forced. */
const KILL_MS = 3_000;
/**
 * How long a node may take to say that a pod has ended. Kubelets take up to ten seconds for what
 * takes the processes a moment.
 */
const GONE_MS = 15_000;

/** Runs before a process, since kubelets give the variables of the cluster to each container. */
const WITHOUT_CLUSTER = `unset ${CLUSTER_VARIABLES.join(' ')}; exec "$@"`;

/** What pods are made by. */
interface PodSettings {
  readonly config: Config;
  readonly pooledSpec: string;
}

function podSettings(config: Config): PodSettings {
  return { config, pooledSpec: specHash(config) };
}

/** The pods of a deployment. Methods throw the API server's own errors. */
export class Pods {
  readonly watch: PodWatch;
  readonly resolverPort = new ResolverPort();
  private readonly path: string;
  private readonly asSet: PodSettings;
  private readonly withoutNetwork: PodSettings;

  constructor(
    readonly server: ApiServer,
    config: Config,
  ) {
    this.asSet = podSettings(config);
    this.withoutNetwork = podSettings(withoutNetwork(config));
    this.path = `/api/v1/namespaces/${server.access.namespace}/pods`;
    this.watch = new PodWatch(server, this.path, deploymentSelector(config));
  }

  /** The settings of pods that are made now. */
  get config(): Config {
    return this.settings.config;
  }

  /** The spec hash of pods that are made for the pool now. */
  get pooledSpec(): string {
    return this.settings.pooledSpec;
  }

  /**
   * Whether a pod was made by this process's settings. A pod without what a network needs was, too:
   * of two processes, one may have been refused it and the other one not.
   */
  isCurrent({ metadata: { annotations } }: Pod, options: SandboxOptions): boolean {
    const either = [this.asSet, this.withoutNetwork];
    return either.some(({ config }) => specHash(config, options) === annotations?.[ANNOTATION.spec]);
  }

  async find(name: string, signal: AbortSignal): Promise<Pod | null> {
    const pod = await nullIf([404], this.server.call<Pod>({ method: 'GET', path: this.at(name), signal }));
    return pod && this.noted(pod);
  }

  /**
   * Finds a pod by the id that callers know it by.
   * @returns null if it is gone, whatever has its name now
   */
  async findById(id: string, signal: AbortSignal): Promise<Pod | null> {
    const name = this.watch.nameOf(id);
    if (name === null) {
      // Another process has made it, and the watch has not told yet.
      return (await this.list(deploymentSelector(this.config), signal)).find((pod) => idOf(pod) === id) ?? null;
    }
    const pod = await this.find(name, signal);
    return pod !== null && idOf(pod) === id ? pod : null;
  }

  async list(labelSelector: string, signal: AbortSignal): Promise<Pod[]> {
    const { items } = await this.server.list<Pod>(this.path, labelSelector, signal);
    return items.map((pod) => this.noted(pod));
  }

  /**
   * @returns null if another caller has made a pod of that name, or if the cluster refuses what a
   * network needs. A caller makes another request then.
   */
  async create(request: PodRequest, signal: AbortSignal): Promise<Pod | null> {
    try {
      const pod = await nullIf([409], this.server.call<Pod>({ method: 'POST', path: this.path, body: request, signal }));
      return pod && this.noted(pod);
    } catch (error) {
      if (this.resolverPort.noteError(error)) return null;
      throw error;
    }
  }

  /**
   * Changes a pod if it still is at this version.
   * @returns null if it is not, or is gone
   */
  async patch({ metadata: { name, uid, resourceVersion } }: Pod, metadata: object, signal: AbortSignal): Promise<Pod | null> {
    const body = { metadata: { ...metadata, uid, resourceVersion } };
    const pod = await nullIf([404, 409], this.server.call<Pod>({ method: 'PATCH', path: this.at(name), body, signal }));
    return pod && this.noted(pod);
  }

  /**
   * Waits until a pod takes processes.
   * @returns null if it ended or went meanwhile, or is about to
   * @throws PodFailedError if it never will; another SandboxError if it takes over START_MS
   */
  async untilReady(pod: Pod, signal: AbortSignal): Promise<Pod | null> {
    let last = pod;
    const look = (now: Pod | null): { pod: Pod | null } | null => {
      if (now === null || idOf(now) !== idOf(pod) || now.metadata.deletionTimestamp !== undefined) return { pod: null };
      last = now;
      const failure = podFailure(now);
      if (failure !== null) throw failure;
      if (hasEnded(now)) {
        this.resolverPort.noteEnded(now);
        return { pod: null };
      }
      if (!isReady(now)) return null;
      this.resolverPort.noteReady(now);
      return { pod: now };
    };
    const timeout = AbortSignal.timeout(START_MS);
    try {
      return (await this.watch.until(pod.metadata.name, look, AbortSignal.any([signal, timeout]))).pod;
    } catch (error) {
      throw timeout.aborted && !signal.aborted ? notStarted(last) : error;
    }
  }

  /**
   * Kills what runs in a pod and removes it. Resolves when none of its processes runs any more.
   *
   * The API server forgets a pod at once if it is told not to wait, before the node has done
   * anything. So the processes are killed in the pod itself, which takes a moment. If that cannot
   * be done, the node is waited for. A node that is cut off cannot be asked: then the pod is
   * forgotten after GONE_MS, and the node ends the processes when it is back.
   */
  async remove(pod: Pod, signal: AbortSignal): Promise<void> {
    const isQuiet = pod.status?.phase !== 'Running' || (await this.killAll(pod));
    if (!isQuiet) {
      await this.delete(pod, 1, signal);
      await this.hasEndedWithin(GONE_MS, pod, signal);
    }
    await this.delete(pod, 0, signal);
    await this.untilGone(pod, signal);
  }

  /**
   * Removes a pod if it still is at this version.
   * @returns false if it is not
   */
  async removeUnchanged(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const { uid, resourceVersion } = pod.metadata;
    if (!(await this.delete(pod, 0, signal, { uid, resourceVersion }))) return false;
    await this.untilGone(pod, signal);
    return true;
  }

  /** Starts a process that has no variable of the cluster. */
  startProcess(
    pod: { readonly metadata: { readonly name: string } },
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<SandboxProcess> {
    return this.startAlone(pod, ['sh', '-c', WITHOUT_CLUSTER, 'sh', ...argv], signal);
  }

  /** Starts a process with the variables that kubelets give to it. */
  startAlone(
    { metadata }: { readonly metadata: { readonly name: string } },
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<SandboxProcess> {
    return execProcess(this.server, `${this.at(metadata.name)}/exec`, CONTAINER, argv, signal);
  }

  /** Describes a pod as the runtime's callers know it. */
  describe(pod: Pod): Sandbox {
    const { name, labels = {}, annotations = {}, creationTimestamp = '' } = pod.metadata;
    const key = annotations[ANNOTATION.session] ?? null;
    const [spec, slot] = [labels[LABEL.pool], labels[LABEL.slot]];
    return {
      id: idOf(pod),
      name,
      key,
      slot: spec === undefined || key !== null ? null : { number: Number(slot), current: spec === this.pooledSpec },
      image: pod.spec.containers[0]?.image ?? '',
      options: parseOptions(annotations[ANNOTATION.options] ?? ''),
      settings: parseSettings(annotations[ANNOTATION.settings] ?? ''),
      createdAt: Date.parse(creationTimestamp),
      pooled: annotations[ANNOTATION.pooled] !== undefined,
    };
  }

  private get settings(): PodSettings {
    return this.resolverPort.isAsked ? this.asSet : this.withoutNetwork;
  }

  private noted(pod: Pod): Pod {
    this.watch.note(pod);
    return pod;
  }

  /** @returns false if the pod has changed meanwhile */
  private async delete(
    pod: Pod,
    graceSeconds: number,
    signal: AbortSignal,
    preconditions: object = { uid: pod.metadata.uid },
  ): Promise<boolean> {
    const body = { gracePeriodSeconds: graceSeconds, preconditions };
    try {
      await this.server.call({ method: 'DELETE', path: this.at(pod.metadata.name), body, signal });
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return true;
      if (status === 409) return false;
      throw error;
    }
  }

  private untilGone(pod: Pod, signal: AbortSignal): Promise<boolean> {
    return this.watch.until(pod.metadata.name, (now) => (now === null || idOf(now) !== idOf(pod) ? true : null), signal);
  }

  /** Waits for so long until the node says that the pod has ended. @returns whether it has */
  hasEndedWithin(ms: number, pod: Pod, signal: AbortSignal): Promise<boolean> {
    const look = (now: Pod | null): true | null => (now === null || idOf(now) !== idOf(pod) || hasEnded(now) ? true : null);
    const timeout = AbortSignal.timeout(ms);
    return this.watch.until(pod.metadata.name, look, AbortSignal.any([signal, timeout])).catch((error: unknown) => {
      if (signal.aborted || !timeout.aborted) throw error;
      return false;
    });
  }

  /**
   * Kills all processes of a pod but PID 1, which only waits. They have one uid, so one kill
   * reaches all of them at once, and none can fork past it.
   * @returns whether they are dead
   */
  private async killAll(pod: Pod): Promise<boolean> {
    try {
      return await withDeadline(KILL_MS, async (signal) => {
        const { stream, ended } = await this.startProcess(pod, ['sh', '-c', 'kill -9 -1'], signal);
        stream.resume();
        signal.addEventListener('abort', () => stream.destroy(), { once: true });
        // 1: there was none.
        const { exitCode } = await ended;
        return exitCode === 0 || exitCode === 1;
      });
    } catch {
      return false;
    }
  }

  private at(name: string): string {
    return `${this.path}/${name}`;
  }
}
