import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Connection, type ConnectionOptions, type RequestOptions, Sandbox } from '@sandbox/client';
import { snakeCased } from '../../../packages/client/src/naming';
import type { components } from '../../../packages/client/src/schema';
import { clusterSettings, TEST_CLUSTER } from '../cluster-under-test';
import { TEST_CHANNEL_DIRECTORY, TEST_IMAGE, TEST_RUNTIME } from '../engine-under-test';
import { wellFormed } from '../well-formed';
import type { TestDeployment } from './deployment';
import { Child, eventually, freePort, type ServiceProcess, type TestRedis } from './processes';
import { startPod } from './service-pod';

const ROOT = resolve(__dirname, '../../..');

/** One API key for each test user. */
export const ALICE = 'alice-key-0123456789';
export const BOB = 'bob-key-0123456789';

export type Env = Record<string, string>;

/** Whether the service runs as pods of the cluster that has its sandboxes. */
const AS_PODS = process.env.SANDBOX_TEST_SERVICE === 'pods';

export interface ServiceOptions {
  deployment: TestDeployment;
  /** Use the Redis store if given, else the memory store. */
  redis?: TestRedis;
  env?: Env;
  /** A program, with arguments, that runs the service. */
  under?: readonly string[];
}

/**
 * Returns the environment of a service under test. From the tests' own environment, it only has
 * what Node and Docker need.
 */
export function serviceEnv({ deployment, redis, env }: ServiceOptions): Env {
  const store: Env = redis
    ? { SESSION_STORE: 'redis', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port) }
    : { SESSION_STORE: 'memory' };
  return {
    PATH: process.env.PATH ?? '',
    CHANNEL_DIRECTORY: TEST_CHANNEL_DIRECTORY,
    ...(process.env.DOCKER_HOST === undefined ? {} : { DOCKER_HOST: process.env.DOCKER_HOST }),
    DEPLOYMENT: deployment.name,
    API_KEYS: `${ALICE},${BOB}`,
    CONTAINER_IMAGE: TEST_IMAGE,
    CONTAINER_RUNTIME: TEST_RUNTIME,
    ...(TEST_CLUSTER === null ? {} : clusterSettings(TEST_CLUSTER)),
    RATE_LIMIT_REQUESTS: '1000000',
    // Many tests count containers or create many sessions. pool.spec.ts and limits.spec.ts test
    // these limits.
    POOL_SIZE: '0',
    MAX_SESSIONS: '1000',
    MAX_SESSIONS_PER_USER: '1000',
    ...store,
    ...env,
  };
}

/** How long the API may take to start. A busy machine starts several at once. */
const START_SECONDS = 90;

/** The built API as a process of its own, as a user runs it. */
export class Service {
  private constructor(
    readonly child: ServiceProcess,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  static async start(options: ServiceOptions): Promise<Service> {
    const port = await freePort();
    const env = { ...serviceEnv(options), HOST: '127.0.0.1', PORT: String(port) };
    const child = AS_PODS ? await startPod(TEST_CLUSTER!, 'api', env) : startProgram('api', env, options.under);
    const service = new Service(child, port);
    const listens = async () => !child.isRunning || (await fetch(`${service.url}/health`)).ok;
    await eventually('the API listens', listens, START_SECONDS).catch(async (error: unknown) => {
      await child.stop('SIGKILL');
      throw error;
    });
    if (!child.isRunning) throw new Error(`the API exited: ${child.output}`);
    return service;
  }

  client(apiKey: string): Client {
    return new Client(this.url, { 'X-API-Key': apiKey });
  }

  stop(signal?: NodeJS.Signals): Promise<number | null> {
    return this.child.stop(signal);
  }
}

/** Starts the sweeper as a process of its own. */
export async function startCleanup(options: ServiceOptions): Promise<ServiceProcess> {
  const env = serviceEnv(options);
  return AS_PODS ? startPod(TEST_CLUSTER!, 'cleanup', env) : startProgram('cleanup', env);
}

/** @param under a program, with arguments, that runs it */
function startProgram(app: 'api' | 'cleanup', env: Env, under: readonly string[] = []): Child {
  const main = join(ROOT, `dist/apps/${app}/src/main.js`);
  if (!existsSync(main)) throw new Error('the service is not built: run `npm run build` first');
  // The directory has no .env file, so that a developer's own does not count.
  const [program, ...parameters] = [...under, process.execPath, main];
  return new Child(spawn(program!, parameters, { cwd: join(ROOT, 'test'), env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Executed {
  stdout: string;
  stderr: string;
  exit_code: number;
  execution_time: number;
  container_id: string;
  timed_out: boolean;
  truncated: boolean;
  oom_killed: boolean;
  memory_limit?: number;
  session_created: boolean;
  session_restarted: boolean;
}

/** The fields of a command besides its text. */
type CommandFields = Partial<Pick<components['schemas']['ExecuteDto'], 'working_dir' | 'env' | 'stdin' | 'timeout' | 'shell'>>;

/** A user of the REST API, by the client that users have. Each call is made once. */
export class Client {
  private readonly options: ConnectionOptions;
  private readonly connection: Connection;

  /** @param headers the credential, or what a test sends instead; `run` needs a key or a token */
  constructor(
    readonly url: string,
    readonly headers: Record<string, string>,
  ) {
    const [apiKey, token] = [headers['X-API-Key'], /^Bearer (.*)$/.exec(headers.Authorization ?? '')?.[1]];
    this.options = { url, retries: 0, ...(apiKey !== undefined && { apiKey }), ...(token !== undefined && { token }) };
    this.connection = new Connection(this.options);
  }

  /** Makes a request. @returns the answer, unread */
  send(method: string, path: string, { headers, ...init }: RequestOptions = {}): Promise<Response> {
    return this.connection.send(method, path, { ...init, headers: { ...this.headers, ...headers } });
  }

  /**
   * Makes a request. A JSON body is sent as JSON. A JSON answer is parsed, and all its texts have
   * to be valid Unicode.
   */
  async request<T = Record<string, unknown>>(method: string, path: string, body?: unknown, init: RequestOptions = {}): Promise<Answer<T>> {
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
    const response = await this.send(method, path, { ...json, ...init, headers: { ...json.headers, ...init.headers } });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? wellFormed(JSON.parse(text)) : text) as T };
  }

  /** Calls POST /execute, whatever it answers. */
  execute<T = Executed & { code?: string; detail?: string }>(
    session: string,
    command: string,
    more: object = {},
    init?: RequestOptions,
  ): Promise<Answer<T>> {
    return this.request<T>('POST', '/execute', { session_id: session, command, ...more }, init);
  }

  /**
   * Runs a command, as users do.
   * @returns its result
   * @throws SandboxError if the service does not run it
   */
  async run(session: string, command: string, { working_dir, env, timeout, ...more }: CommandFields = {}): Promise<Executed> {
    const timeoutMs = timeout === undefined ? undefined : timeout * 1_000;
    const options = { ...more, cwd: working_dir, envs: env, timeoutMs };
    return wellFormed(snakeCased(await Sandbox.of(session, this.options).commands.run(command, options)) as unknown as Executed);
  }

  workspace(session: string, path?: string, content = false): string {
    const query = path === undefined ? '' : `?path=${encodeURIComponent(path)}`;
    return `/sessions/${encodeURIComponent(session)}/workspace${content ? '/content' : ''}${query}`;
  }

  deleteSession(session: string): Promise<Answer> {
    return this.request('DELETE', `/sessions/${encodeURIComponent(session)}`);
  }
}
