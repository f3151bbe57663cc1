import type { SandboxOptions, SessionNetworkRules, SessionSettings } from '@sandbox/sessions';
import type { DirectListener } from '../channel/direct-listener';
import type { SandboxProcess } from '../channel/sandbox-process';
import type { DiskBound, RuntimeCapabilities } from '../options/runtime-capabilities';
import type { Surroundings } from '../surroundings/surroundings';

/** The session that a sandbox is made for. */
export interface SandboxOwner {
  /** SessionRef.key. The sandbox's name comes from it. */
  readonly key: string;
  readonly userKey: string;
}

/** A sandbox as the runtime tells of it. */
export interface Sandbox {
  /**
   * The engine's id, of at least 12 hex digits. Each sandbox that is made has another one, also
   * under the same name.
   */
  readonly id: string;
  /** The engine's name for it. It changes when the sandbox is claimed. */
  readonly name: string;
  /** SessionRef.key of its session; null if it has none, as a pooled one or a leftover. */
  readonly key: string | null;
  /** Its place in the pool; null if it does not wait there. */
  readonly slot: PoolSlot | null;
  readonly image: string;
  /** The options that it was made with. */
  readonly options: SandboxOptions;
  readonly settings: SessionSettings;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Whether it was made for the pool. Then its session, if it has one, is younger. */
  readonly pooled: boolean;
}

/** A place in the pool. Each holds one sandbox, however many processes fill it. */
export interface PoolSlot {
  readonly number: number;
  /** Whether its sandbox was made by the settings that this process has. */
  readonly current: boolean;
}

/** A sandbox that runs, and whether it is new. */
export interface EnsuredSandbox extends Sandbox {
  /** Whether this call made it. It is false if another caller was faster. */
  readonly created: boolean;
}

/** One start of a sandbox. Its processes and its tmpfs begin and end with it. */
export interface SandboxStart {
  /** Differs for each start of a sandbox. A pause does not change it. At most 64 characters. */
  readonly id: string;
  /** Whether the sandbox had been started before. */
  readonly again: boolean;
}

/** A request of a runtime to what makes its sandboxes, in the few words by which it is counted. */
export interface RuntimeCall {
  readonly verb: 'create' | 'get' | 'list' | 'watch' | 'patch' | 'delete' | 'connect';
  /** A kind of objects, such as `pods`. It names none of them. */
  readonly resource: string;
  /** The class of the answer's status. `none`: no answer came, or the runtime gave up. */
  readonly status: '2xx' | '4xx' | '429' | '5xx' | 'none';
  readonly seconds: number;
}

/** What an operator measures of a runtime whose engine is elsewhere. */
export interface RuntimeReport {
  /** Has every request told from now on, when it has ended. There is one listener. */
  onCall(listener: (call: RuntimeCall) => void): void;
  /** The watch that tells of sandboxes: whether it is open, and how often it broke off. */
  readonly watch: { readonly isConnected: boolean; readonly lost: number };
}

/**
 * Runs sandboxes: as containers of a Docker engine, or as pods of a Kubernetes cluster.
 * `test/medium/contracts` has the tests that each implementation has to pass.
 *
 * Every method has a deadline of its own. Each throws SandboxError: RUNTIME_UNAVAILABLE if the
 * engine is away or hangs, SANDBOX_IMAGE_UNUSABLE if the image is missing, DISK_UNAVAILABLE if no
 * disk can be had for a workspace, SANDBOX_LOST if the named sandbox is not there or does not run.
 * To remove something that is gone is a success.
 */
export interface SandboxRuntime {
  readonly capabilities: RuntimeCapabilities;
  /**
   * What the agent has to write when it starts, before anything else runs; null: nothing. The
   * runtime has made the variables and directories.
   */
  readonly surroundings: Surroundings | null;
  /** Null: the engine is on this host, and nothing of it is measured. */
  readonly report: RuntimeReport | null;
  /**
   * How long what runs in a sandbox goes on if its machine is cut off from every API process, in
   * seconds. Its session may get another sandbox meanwhile. Null: sandboxes are on the engine's
   * machine, so they cannot be cut off.
   */
  readonly leaseSeconds: number | null;
  /**
   * Returns the session's running sandbox, and makes it if there is none. The name is the lock. Of
   * two callers one makes the sandbox, and the other one gets it, whatever options it was made
   * with.
   *
   * A sandbox that is stopped, dead, or made by other settings than this process has is removed and
   * made anew. A paused one goes on.
   * @param options of a sandbox that is made; null: those of the one that it replaces
   */
  ensureSandbox(owner: SandboxOwner, options?: SandboxOptions | null, settings?: SessionSettings): Promise<EnsuredSandbox>;
  /** Returns the session's sandbox, in whatever state it is; null if there is none. */
  findSandbox(key: string): Promise<Sandbox | null>;
  /**
   * Makes sandboxes by this process's settings until `size` of them wait in the pool. It yields
   * each one when it runs. All processes share one pool, and a runtime may fill it by itself. So
   * what it yields need not be what this call made.
   */
  fillPool(size: number): AsyncIterable<Sandbox>;
  /** Whether the session has neither a sandbox nor a volume. */
  isVacant(key: string): Promise<boolean>;
  /**
   * Gives a sandbox of the pool to the session. The caller makes sure that no one else claims the
   * same sandbox at the same time.
   * @param preferred the sandbox to give; a runtime that chooses itself may give another one
   * @returns the sandbox that the session now has; null if none waits any more, or if the session
   * has got a sandbox meanwhile
   */
  claimSandbox(owner: SandboxOwner, preferred: Sandbox): Promise<Sandbox | null>;
  /**
   * Removes a sandbox that has no session.
   * @returns false if a session has claimed it meanwhile; then it is left alone
   */
  discardSandbox(sandbox: Sandbox): Promise<boolean>;
  /** Returns the start that a running sandbox is in. */
  startOf(sandboxId: string): Promise<SandboxStart>;
  /** Starts a process as the sandbox's user. */
  startProcess(sandboxId: string, argv: readonly string[]): Promise<SandboxProcess>;
  /**
   * Listens for one process of the sandbox on a socket that only that sandbox can reach.
   * @returns null if the runtime has no such way. Then the stream of `startProcess` is the only
   * one.
   */
  listenDirectly(sandboxId: string): Promise<DirectListener | null>;
  /**
   * Notes the rules of a session's network beside its sandbox, so that a store that has lost them
   * gets them back by `ensureSandbox`. A runtime that has no place for them notes nothing. It says
   * of sandboxes that it finds that their programs may reach nothing.
   */
  rememberNetwork(sandboxId: string, rules: SessionNetworkRules): Promise<void>;
  /**
   * Says why sandboxes can have no network, whatever the settings offer, in words for users. The
   * answer may change while the process runs.
   * @returns null if they can, or if nothing is known against it yet
   */
  networkRefusal(): string | null;
  /**
   * Kills and removes the session's sandbox. Resolves when it is gone. A persistent volume stays;
   * another workspace on the disk goes with it.
   */
  removeSandbox(key: string): Promise<void>;
  /**
   * Removes the persistent volume of a session, if it has one.
   * @returns false if a sandbox still uses the volume
   */
  removeVolume(key: string): Promise<boolean>;
  /**
   * Removes workspaces on the disk that have lost their sandbox and are not persistent.
   * @returns how many
   */
  removeLostVolumes(): Promise<number>;
  /** Tells how the workspaces that are made now are bounded, if they are on the disk. */
  diskBound(): Promise<DiskBound>;
  /** Lists every sandbox of the deployment, running or not, and those that are half made. */
  listSandboxes(): Promise<Sandbox[]>;
  /** Resolves when the engine answers. */
  ping(): Promise<void>;
  /** @throws SandboxError SANDBOX_IMAGE_UNUSABLE if CONTAINER_IMAGE is known to be missing */
  checkImage(): Promise<void>;
}

export const SANDBOX_RUNTIME = Symbol('SandboxRuntime');
