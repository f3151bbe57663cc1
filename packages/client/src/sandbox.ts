import { Commands } from './commands.ts';
import { answerOf, type CallOptions, Connection, type ConnectionOptions } from './connection.ts';
import { NotFoundError } from './errors.ts';
import { Files } from './files.ts';
import { type IdempotencyOptions, keyHeader } from './idempotency.ts';
import { Jobs } from './jobs.ts';
import { type CamelCased, camelCased, snakeCased } from './naming.ts';
import { Network } from './network.ts';
import { Policy } from './policy.ts';
import { Ports } from './ports.ts';
import type { components } from './schema.ts';
import { Terminals } from './terminals.ts';

type Schemas = components['schemas'];

/** What is known of a sandbox. */
export type SandboxInfo = CamelCased<Schemas['SessionDto']>;

/** What a server can do, and what its user may still ask of it. */
export type Capabilities = CamelCased<Schemas['CapabilitiesDto']>;

export interface SandboxOptions {
  /**
   * Its name. Default: the `idempotencyKey`, or else a random one. If a sandbox of that name lives,
   * it is taken as it is.
   */
  sandboxId?: string;
  /** Image from which it is made, of those that the operator allows. */
  image?: string;
  /** Memory, such as `512m`. */
  memory?: string;
  cpus?: number;
  pids?: number;
  /** Puts `/workspace` on the host's disk instead of memory, with this limit, such as `2g`. */
  disk?: string;
  /** Milliseconds after which it is removed if nobody uses it. */
  timeoutMs?: number;
  /** Whether its files outlive it, until it is killed. */
  persistent?: boolean;
  envs?: Record<string, string>;
  metadata?: Record<string, string>;
  /** Which servers its programs may reach. */
  network?: { allow: string[] };
}

/** An isolated, disposable container that runs commands and keeps files. */
export class Sandbox {
  readonly commands: Commands;
  readonly jobs: Jobs;
  readonly files: Files;
  readonly ports: Ports;
  readonly network: Network;
  readonly terminals: Terminals;
  readonly policy: Policy;

  private constructor(
    private readonly connection: Connection,
    readonly sandboxId: string,
  ) {
    this.commands = new Commands(connection, sandboxId);
    this.jobs = new Jobs(connection, sandboxId);
    this.files = new Files(connection, sandboxId);
    this.ports = new Ports(connection, sandboxId);
    this.network = new Network(connection, sandboxId);
    this.terminals = new Terminals(connection, sandboxId);
    this.policy = new Policy(connection, sandboxId);
  }

  /** Makes a sandbox. @throws ConflictError if one of its name exists with other options */
  static async create(options: SandboxOptions & ConnectionOptions & CallOptions & IdempotencyOptions = {}): Promise<Sandbox> {
    const connection = new Connection(options);
    const {
      idempotencyKey,
      sandboxId = idempotencyKey ?? crypto.randomUUID(),
      envs,
      timeoutMs,
      signal,
      url: _u,
      apiKey: _k,
      token: _t,
      retries: _r,
      fetch: _f,
      ...own
    } = options;
    const ttl = timeoutMs === undefined ? undefined : Math.round(timeoutMs / 1_000);
    const body = snakeCased({ sessionId: sandboxId, env: envs, ttlSeconds: ttl, ...own }) as unknown as Schemas['CreateSessionDto'];
    const headers = keyHeader(idempotencyKey ?? connection.newKey());
    await answerOf(connection.api.POST('/sessions', { body, signal, headers }));
    return new Sandbox(connection, sandboxId);
  }

  /** A sandbox by its name. It makes no call. If no such sandbox lives, the first use makes one. */
  static of(sandboxId: string, options: ConnectionOptions = {}): Sandbox {
    return new Sandbox(new Connection(options), sandboxId);
  }

  /** Takes a sandbox that lives. @throws NotFoundError if it does not */
  static async connect(sandboxId: string, options: ConnectionOptions & CallOptions = {}): Promise<Sandbox> {
    const sandbox = new Sandbox(new Connection(options), sandboxId);
    await sandbox.getInfo(options);
    return sandbox;
  }

  /**
   * Lists the caller's live sandboxes, the oldest first.
   * @param options `metadata`: only those with these pairs
   */
  static async list({
    metadata = {},
    signal,
    ...options
  }: ConnectionOptions & CallOptions & { metadata?: Record<string, string> } = {}): Promise<SandboxInfo[]> {
    const pairs = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
    const query = pairs.length === 0 ? {} : { metadata: pairs };
    const call = new Connection(options).api.GET('/sessions', { params: { query }, signal });
    return camelCased((await answerOf(call)).sessions);
  }

  /**
   * Tells what can be done: limits, images and their programs, rules, and what is left of quotas.
   * @param options `image`: whose programs are listed, instead of the default one's
   */
  static async capabilities({
    image,
    signal,
    ...options
  }: ConnectionOptions & CallOptions & { image?: string } = {}): Promise<Capabilities> {
    const query = image === undefined ? {} : { image };
    return camelCased(await answerOf(new Connection(options).api.GET('/capabilities', { params: { query }, signal })));
  }

  /** Removes a sandbox with its files. It is no error if it is gone already. */
  static kill(sandboxId: string, options: ConnectionOptions & CallOptions = {}): Promise<void> {
    return new Sandbox(new Connection(options), sandboxId).kill(options);
  }

  async getInfo({ signal }: CallOptions = {}): Promise<SandboxInfo> {
    const call = this.connection.api.GET('/sessions/{session_id}', { params: this.params, signal });
    return camelCased(await answerOf(call));
  }

  /** Tells whether it lives. It is gone once nobody has used it for its timeout. */
  async isRunning(options: CallOptions = {}): Promise<boolean> {
    try {
      await this.getInfo(options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** Sets after how many milliseconds without a use it is removed. */
  async setTimeout(timeoutMs: number, { signal }: CallOptions = {}): Promise<void> {
    const body = { ttl_seconds: Math.round(timeoutMs / 1_000) };
    await answerOf(this.connection.api.PATCH('/sessions/{session_id}', { params: this.params, body, signal }));
  }

  /** Removes it with its files, its volume too. It is no error if it is gone already. */
  async kill({ signal }: CallOptions = {}): Promise<void> {
    await answerOf(this.connection.api.DELETE('/sessions/{session_id}', { params: this.params, signal }));
  }

  private get params(): { path: { session_id: string } } {
    return { path: { session_id: this.sandboxId } };
  }
}
