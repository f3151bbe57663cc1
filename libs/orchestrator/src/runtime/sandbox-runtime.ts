import type { SandboxOptions, SessionSettings } from '@sandbox/sessions';
import type { SandboxProcess } from '../channel/sandbox-process';
import type { RuntimeCapabilities } from '../options/runtime-capabilities';

/** What a sandbox is made for. */
export interface SandboxOwner {
  /** SessionRef.key: the container's name comes from it. */
  readonly key: string;
  readonly userKey: string;
}

export interface Sandbox {
  /** The engine's id: at least 12 hex digits, and another for each one made, also under the same name. */
  readonly id: string;
  /** The engine's name for it, which changes when it is claimed. */
  readonly name: string;
  /** SessionRef.key of the session it belongs to; null where it is nobody's: pooled, or a stray. */
  readonly key: string | null;
  /** Where it waits to be claimed; null where it does not. */
  readonly slot: PoolSlot | null;
  readonly image: string;
  /** What it was asked to be when it was made. */
  readonly options: SandboxOptions;
  readonly settings: SessionSettings;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** It was made for the pool: the session that has it now, if any, is younger. */
  readonly pooled: boolean;
}

/** A place in the pool; of each there is one on the engine, however many processes fill it. */
export interface PoolSlot {
  readonly number: number;
  /** False where what waits there was made by other settings than this process has. */
  readonly current: boolean;
}

export interface EnsuredSandbox extends Sandbox {
  /** True where this call made it; false where it was there (or another caller's create won the race). */
  readonly created: boolean;
}

/** One of a sandbox's starts. Its processes and its tmpfs begin with it, and end with it. */
export interface SandboxStart {
  /** Another one for each start of a sandbox; a pause changes nothing. At most 64 characters. */
  readonly id: string;
  /** The sandbox had been started before. */
  readonly again: boolean;
}

/**
 * Where sandboxes run: the Docker engine today. In our own types, so that another runtime can stand behind it. Every method has a
 * deadline of its own and throws SandboxError: RUNTIME_UNAVAILABLE (engine away, hung), SANDBOX_IMAGE_UNUSABLE (image missing),
 * SANDBOX_LOST (the sandbox named is not there or not running). "Already gone" is success where something is removed.
 */
export interface SandboxRuntime {
  readonly capabilities: RuntimeCapabilities;
  /**
   * The running sandbox of that name, made where there is none. The name is the lock: of two callers one creates, the other
   * adopts, whatever options the sandbox was made with. One that is there but stopped, dead or not as its options and the settings
   * of this process would have it is removed and made anew, with these options (null: with its own); a paused one goes on.
   */
  ensure(owner: SandboxOwner, options?: SandboxOptions | null, settings?: SessionSettings): Promise<EnsuredSandbox>;
  /**
   * Has so many sandboxes of this process's settings wait in the pool, and gives them one after another, as they run. Whoever asks, it
   * is one pool; a runtime may fill it by itself, so what is given need not be what this call made.
   */
  fillPool(size: number): AsyncIterable<Sandbox>;
  /** Whether the session has neither a sandbox nor a volume. */
  isVacant(key: string): Promise<boolean>;
  /**
   * Makes a waiting sandbox the session's; of callers at once one alone may ask for it (WarmPool sees to that). It is the preferred one, or
   * another where the runtime chooses for itself: what the session has now is what is answered. Null where it waits no more,
   * or the session has come to a sandbox meanwhile.
   */
  claim(owner: SandboxOwner, preferred: Sandbox): Promise<Sandbox | null>;
  /** Removes a sandbox that is nobody's. False where somebody was faster: a pooled one that was claimed is left alone. */
  discard(sandbox: Sandbox): Promise<boolean>;
  /** The start that a running sandbox is in. */
  startOf(sandboxId: string): Promise<SandboxStart>;
  /** Starts a process as the sandbox's user. */
  exec(sandboxId: string, argv: readonly string[]): Promise<SandboxProcess>;
  /** Kills and removes it, whatever it does; resolves when it is gone. Volumes stay. */
  remove(key: string): Promise<void>;
  /** Removes the persistent volume of a session, where there is one. False where a container still uses it. */
  removeVolume(key: string): Promise<boolean>;
  /** All that has our deployment label, running or not; what is half made, too. */
  list(): Promise<Sandbox[]>;
  /** Resolves when the engine answers. */
  ping(): Promise<void>;
  /** Throws SANDBOX_IMAGE_UNUSABLE where CONTAINER_IMAGE is known not to be there. */
  checkImage(): Promise<void>;
}

export const SANDBOX_RUNTIME = Symbol('SandboxRuntime');
