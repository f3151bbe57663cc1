import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TestEngine } from '../support/service/engine';
import { type ServiceProcess, TestRedis } from '../support/service/processes';
import { TestDeployment } from '../support/service/deployment';
import { type Env, Service, type ServiceOptions, startCleanup } from '../support/service/service';
import { EngineProxy } from './engine-proxy';
import type { Interval } from './intervals';

/**
 * One program of the service. A supervisor starts it again after the chaos run ended it. If it ends
 * otherwise, it has crashed.
 */
export class Program {
  readonly downtimes: Interval[] = [];
  readonly crashes: string[] = [];
  private child: ServiceProcess | undefined;
  /** One process for each time that the program ran. */
  private readonly children: ServiceProcess[] = [];

  constructor(
    readonly name: string,
    private readonly launch: () => Promise<ServiceProcess>,
  ) {}

  get pid(): number {
    return this.child!.pid;
  }

  async start(): Promise<void> {
    const child = await this.launch();
    this.child = child;
    this.children.push(child);
    const downtime = this.downtimes.at(-1);
    if (downtime) downtime.to = performance.now();
    void child.exited.then((code) => {
      if (this.downtimes.at(-1)?.to !== Infinity) this.crashes.push(`${this.name} ended by itself (${code}): ${child.output.slice(-500)}`);
    });
  }

  /** @returns the log lines that mention the text */
  logged(text: string): string[] {
    return this.children.flatMap(({ output }) => output.split('\n').filter((line) => line.includes(text)));
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.downtimes.push({ from: performance.now(), to: Infinity });
    await this.child?.stop(signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.child!.signal(signal);
  }
}

/** An API process with a wall clock of its own. */
export class Replica extends Program {
  private service!: Service;

  constructor(
    name: string,
    options: ServiceOptions,
    private readonly clockFile: string,
  ) {
    const env = { ...options.env, NODE_OPTIONS: `--require "${resolve(__dirname, 'clock.cjs')}"`, CHAOS_CLOCK: clockFile };
    super(name, async () => {
      // A connection of some client may take the free port before the process listens on it.
      const start = (): Promise<Service> => Service.start({ ...options, env });
      this.service = await start().catch((error: Error) => (/EADDRINUSE/.test(error.message) ? start() : Promise.reject(error)));
      return this.service.child;
    });
  }

  get url(): string {
    return this.service.url;
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  shiftClock(milliseconds: number): void {
    writeFileSync(this.clockFile, String(milliseconds));
  }
}

/** Room for the sandbox image, also while it is loaded, and for workspaces. */
const ENGINE_DISK_BYTES = 2 ** 30;

/** A Docker engine that can be ended, stopped and filled. */
export interface OwnEngine {
  readonly engine: TestEngine;
  /** The times that no sandbox survived. */
  readonly outages: Interval[];
}

/**
 * The service as an operator runs it: two API processes, the cleanup worker, Redis, and Docker
 * (behind a proxy).
 */
export interface World {
  readonly deployment: TestDeployment;
  readonly redis: TestRedis;
  readonly proxy: EngineProxy;
  /** Undefined if the service uses the machine's engine. */
  readonly own: OwnEngine | undefined;
  readonly replicas: readonly Replica[];
  readonly cleanup: Program;
  /** The replicas and the worker. */
  readonly programs: readonly Program[];
  stop(): Promise<void>;
}

/** @param withOwnEngine start an engine with a small disk, beside the machine's */
export async function startWorld(apiKeys: readonly string[], settings: Env, withOwnEngine: boolean): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'sandbox-chaos-'));
  const own = withOwnEngine ? { engine: await TestEngine.start({ diskBytes: ENGINE_DISK_BYTES }), outages: [] } : undefined;
  const deployment = new TestDeployment(own?.engine.docker);
  const engineHost = own?.engine.host ?? (process.env.DOCKER_HOST || 'unix:///var/run/docker.sock');
  const [redis, proxy] = await Promise.all([TestRedis.start(), EngineProxy.start(engineHost)]);
  const options = { deployment, redis, env: { API_KEYS: apiKeys.join(','), DOCKER_HOST: proxy.host, ...settings } };
  const replicas = ['api-1', 'api-2'].map((name) => new Replica(name, options, join(directory, `${name}.clock`)));
  const cleanup = new Program('cleanup', () => startCleanup(options));
  const programs = [...replicas, cleanup];
  const stop = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.stop('SIGKILL')));
    await Promise.all([redis.stop(), proxy.stop()]);
    await (own ? own.engine.stop() : deployment.removeAll());
    rmSync(directory, { recursive: true, force: true });
  };
  const started = await Promise.allSettled(programs.map((program) => program.start()));
  for (const result of started) {
    if (result.status === 'fulfilled') continue;
    await stop();
    throw result.reason;
  }
  return { deployment, redis, proxy, own, replicas, cleanup, programs, stop };
}
