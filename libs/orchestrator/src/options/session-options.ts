import { isDeepStrictEqual } from 'node:util';
import { type Config, leastMemory, parseSize } from '@sandbox/config';
import { ErrorCode, SandboxError, type FieldError } from '@sandbox/errors';
import type { SandboxOptions, SessionOptions } from '@sandbox/sessions';
import type { CommandPolicy } from '@sandbox/command-policy';
import type { RuntimeCapabilities } from './runtime-capabilities';
import { diskLimit, isPersistent } from './disk-limit';
import { memoryLimit } from './memory-limit';
import { networkFaults } from './network-rules';

/**
 * The shape of a session's sandbox: its own options, and the deployment's defaults for the rest.
 */
export interface SandboxShape {
  image: string;
  /** A size as Docker's clients write it, such as 512m. */
  memory: string;
  cpus: number;
  pids: number;
  persistent: boolean;
  /** The limit of a workspace on the host's disk, as a size; null if it is in memory. */
  disk: string | null;
}

const SHAPE = ['image', 'memory', 'cpus', 'pids', 'persistent', 'disk'] as const satisfies readonly (keyof SandboxShape)[];

const MIN_CPUS = 0.01;
const MIN_PIDS = 16;
const MIN_DISK_BYTES = 16 * 1024 ** 2;

/** The most that a session may ask for, as the operator has set it. */
export interface SessionLimits {
  /** The images that it may name, the default one first. */
  images: string[];
  /** Bytes. */
  memory: number;
  cpus: number;
  pids: number;
  /** Bytes; null if no session may ask for a disk. */
  disk: number | null;
  ttl_seconds: number;
}

/** Returns the limits of `checkSessionOptions`, for documents that tell of them. */
export function sessionLimits(config: Config): SessionLimits {
  return {
    images: [...new Set([config.CONTAINER_IMAGE, ...config.ALLOWED_IMAGES])],
    memory: config.MAX_SESSION_MEMORY ?? config.CONTAINER_MEM_LIMIT,
    cpus: config.MAX_SESSION_CPUS ?? defaultCpus(config),
    pids: config.MAX_SESSION_PIDS ?? config.CONTAINER_PIDS_LIMIT,
    disk: config.MAX_SESSION_DISK,
    ttl_seconds: config.MAX_SESSION_TTL_SECONDS,
  };
}

/** Fills the options of a session up with the deployment's defaults. */
export function sandboxShape(config: Config, options: SandboxOptions): SandboxShape {
  const disk = diskLimit(config, options);
  return {
    image: options.image ?? config.CONTAINER_IMAGE,
    memory: formatSize(memoryLimit(config, options)),
    cpus: options.cpus ?? defaultCpus(config),
    pids: options.pids ?? config.CONTAINER_PIDS_LIMIT,
    persistent: isPersistent(config, options),
    disk: disk === null ? null : formatSize(disk),
  };
}

/** A shape, or its limits, as callers are told of it. */
export type Told<Limits extends { pids: number }> = Omit<Limits, 'pids'> & {
  /** Null if the runtime does not bound them. */
  pids: number | null;
};

/** Leaves out a limit that the runtime does not keep, so that nobody relies on it. */
export function toldOf<Limits extends { pids: number }>(limits: Limits, { pids }: Pick<RuntimeCapabilities, 'pids'>): Told<Limits> {
  return { ...limits, pids: pids ? limits.pids : null };
}

/** Whether these options ask for what waits in the pool: a sandbox with the defaults. */
export function isDefaultSandbox(config: Config, options: SandboxOptions): boolean {
  const [asked, usual] = [sandboxShape(config, options), sandboxShape(config, {})];
  return usual.disk === null && SHAPE.every((field) => asked[field] === usual[field]) && Object.keys(options.env ?? {}).length === 0;
}

/** The operator and the runtime, who both limit what a session may ask for. */
export interface OptionLimits {
  readonly config: Config;
  readonly policy: CommandPolicy;
  readonly capabilities: Pick<RuntimeCapabilities, 'pids' | 'persistent' | 'disk'>;
  /** Why no sandbox can have a network; null: they can. */
  readonly networkRefusal: string | null;
}

/**
 * Checks that a session may have the options it asks for.
 * @throws SandboxError VALIDATION_FAILED naming every option that it may not have
 */
export function checkSessionOptions(limits: OptionLimits, options: SessionOptions): void {
  const errors = faults(limits, options);
  if (errors.length > 0) throw new SandboxError(ErrorCode.VALIDATION_FAILED, 'The session’s options are not allowed.', { errors });
}

function faults({ config, policy, capabilities, networkRefusal }: OptionLimits, options: SessionOptions): FieldError[] {
  const { image, memory, cpus, pids, persistent, disk, env, ttl_seconds, network } = options;
  const errors: FieldError[] = [];
  const check = (field: keyof SessionOptions, holds: boolean, message: string): void => {
    if (!holds) errors.push({ field, message: `${field} ${message}` });
  };
  const most = sessionLimits(config);
  check('image', image === undefined || most.images.includes(image), `must be one of ${most.images.join(', ')}`);
  if (memory !== undefined) {
    const least = leastMemory(config, sandboxShape(config, options).disk !== null);
    const bytes = parseSize(memory);
    check('memory', bytes >= least && bytes <= most.memory, `must be a size from ${formatSize(least)} to ${formatSize(most.memory)}`);
  }
  check('cpus', cpus === undefined || (cpus >= MIN_CPUS && cpus <= most.cpus), `must be a number from ${MIN_CPUS} to ${most.cpus}`);
  check('pids', pids === undefined || capabilities.pids, 'cannot be had with the runtime of this deployment');
  check('persistent', persistent !== true || capabilities.persistent, 'cannot be had with the runtime of this deployment');
  check(
    'pids',
    pids === undefined || !capabilities.pids || (pids >= MIN_PIDS && pids <= most.pids),
    `must be from ${MIN_PIDS} to ${most.pids}`,
  );
  check('ttl_seconds', ttl_seconds === undefined || ttl_seconds <= most.ttl_seconds, `must be at most ${most.ttl_seconds}`);
  if (disk !== undefined) {
    const offered = most.disk !== null && capabilities.disk;
    check('disk', offered, 'is not offered here (MAX_SESSION_DISK)');
    const [bytes, max] = [parseSize(disk), most.disk ?? 0];
    if (offered)
      check('disk', bytes >= MIN_DISK_BYTES && bytes <= max, `must be a size from ${formatSize(MIN_DISK_BYTES)} to ${formatSize(max)}`);
  }
  const mayPersist = config.ALLOW_PERSISTENT_SESSIONS || config.WORKSPACE_PERSIST_VOLUMES;
  check('persistent', persistent !== true || mayPersist, 'is not allowed here (ALLOW_PERSISTENT_SESSIONS)');
  // A strict policy judges a command by the variables of its request. It does not see those of the
  // session.
  check(
    'env',
    policy.mode !== 'strict' || Object.keys(env ?? {}).length === 0,
    'is not taken under a strict command policy: give it with each command',
  );
  if (network !== undefined) errors.push(...networkFaults(config, network, networkRefusal));
  return errors;
}

/**
 * Compares the options of an existing session with those that a caller asks for. An option that is
 * not given asks for nothing.
 * @returns one entry for each option that differs
 */
export function differences(config: Config, asked: SessionOptions, has: SessionOptions): FieldError[] {
  const { env, ttl_seconds, metadata, network } = asked;
  const [wanted, is] = [sandboxShape(config, asked), sandboxShape(config, has)];
  const fields: string[] = SHAPE.filter((field) => asked[field] !== undefined && wanted[field] !== is[field]);
  if (env && !sameTexts(env, has.env ?? {})) fields.push('env');
  if (ttl_seconds !== undefined && ttl_seconds !== has.ttl_seconds) fields.push('ttl_seconds');
  if (metadata && !sameTexts(metadata, has.metadata ?? {})) fields.push('metadata');
  if (network && !isDeepStrictEqual(network.allow, has.network?.allow)) fields.push('network');
  return fields.map((field) => ({ field, message: `${field} differs from that of the session that is there` }));
}

function sameTexts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

function defaultCpus(config: Config): number {
  return Number((config.CONTAINER_CPU_QUOTA / config.CONTAINER_CPU_PERIOD).toFixed(3));
}

const UNITS = ['b', 'k', 'm', 'g'] as const;

/** Writes bytes in the largest unit that gives a whole number, as in 512m. */
export function formatSize(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (unit < UNITS.length - 1 && size > 0 && size % 1024 === 0) [size, unit] = [size / 1024, unit + 1];
  return `${size}${UNITS[unit]}`;
}
