import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { type Config, loadConfig } from '@sandbox/config';
import {
  CommandsService,
  ImageProbe,
  JobsService,
  PortsService,
  NetworkService,
  ReadinessService,
  SANDBOX_RUNTIME,
  type SandboxRuntime,
  SessionsService,
  TerminalsService,
  UsageService,
  WorkspaceArchiveService,
  WorkspaceService,
  WorkspaceEditService,
  WorkspaceEntriesService,
  WorkspaceSearchService,
  WorkspaceWatchService,
} from '@sandbox/orchestrator';
import { JsonLogger } from '@sandbox/logging';
import { AppModule } from '../../apps/api/src/app.module';
import { configureApp } from '../../apps/api/src/configure-app';
import { ExpressServerAdapter } from '../../apps/api/src/server/express-server';

export const API_KEY = 'key-of-alice-0123456789';
export const JWT_SECRET = 'a secret of at least thirty-two bytes';

/** Fakes for the services below the transport, because these tests are about the transport. */
export interface Fakes {
  commands?: Partial<CommandsService>;
  sessions?: Partial<SessionsService>;
  usage?: Partial<UsageService>;
  workspace?: Partial<WorkspaceService>;
  jobs?: Partial<JobsService>;
  ports?: Partial<PortsService>;
  terminals?: Partial<TerminalsService>;
  entries?: Partial<WorkspaceEntriesService>;
  searches?: Partial<WorkspaceSearchService>;
  watches?: Partial<WorkspaceWatchService>;
  edits?: Partial<WorkspaceEditService>;
  archives?: Partial<WorkspaceArchiveService>;
  readiness?: Partial<ReadinessService>;
  network?: Partial<NetworkService>;
  images?: Partial<ImageProbe>;
  runtime?: Partial<SandboxRuntime>;
}

/** Stands for the engine. Only the sweeper calls it, and there is nothing to sweep. */
const NO_ENGINE: Pick<SandboxRuntime, 'capabilities' | 'listSandboxes' | 'networkRefusal' | 'report'> = {
  capabilities: { pids: true, persistent: true, disk: true, ociRuntime: true, ulimits: true },
  listSandboxes: async () => [],
  networkRefusal: () => null,
  report: null,
};

/**
 * The API as in production, with guards, filter and all else, on a port of its own. The services
 * below it are fakes.
 */
export class TestApp {
  private constructor(
    readonly app: NestExpressApplication,
    readonly config: Config,
    /** The log, one JSON text per line. */
    readonly log: string[],
  ) {}

  static async start(fakes: Fakes = {}, env: Record<string, string> = {}): Promise<TestApp> {
    const config = loadConfig({
      API_KEYS: API_KEY,
      JWT_SECRET,
      DEPLOYMENT: `test-${randomBytes(6).toString('hex')}`,
      SESSION_STORE: 'memory',
      RATE_LIMIT_REQUESTS: '100000',
      POOL_SIZE: '0',
      ...env,
    });
    const log: string[] = [];
    const module = await Test.createTestingModule({ imports: [AppModule.register(config)] })
      .overrideProvider(CommandsService)
      .useValue(fakes.commands ?? {})
      .overrideProvider(SessionsService)
      .useValue(fakes.sessions ?? {})
      .overrideProvider(UsageService)
      .useValue(fakes.usage ?? {})
      .overrideProvider(NetworkService)
      .useValue(fakes.network ?? {})
      .overrideProvider(JobsService)
      .useValue(fakes.jobs ?? {})
      .overrideProvider(PortsService)
      .useValue({ state: { open: 0, total: 0 }, ...fakes.ports })
      .overrideProvider(TerminalsService)
      .useValue(fakes.terminals ?? {})
      .overrideProvider(WorkspaceService)
      .useValue(fakes.workspace ?? {})
      .overrideProvider(WorkspaceEntriesService)
      .useValue(fakes.entries ?? {})
      .overrideProvider(WorkspaceSearchService)
      .useValue(fakes.searches ?? {})
      .overrideProvider(WorkspaceWatchService)
      .useValue(fakes.watches ?? {})
      .overrideProvider(WorkspaceEditService)
      .useValue(fakes.edits ?? {})
      .overrideProvider(WorkspaceArchiveService)
      .useValue(fakes.archives ?? {})
      .overrideProvider(ReadinessService)
      .useValue(fakes.readiness ?? {})
      .overrideProvider(ImageProbe)
      .useValue(fakes.images ?? {})
      .overrideProvider(SANDBOX_RUNTIME)
      .useValue({ ...NO_ENGINE, ...fakes.runtime })
      .compile();
    const app = module.createNestApplication<NestExpressApplication>(new ExpressServerAdapter(), { bodyParser: false, bufferLogs: true });
    app.useLogger(new JsonLogger(config, { write: (line) => void log.push(line) }));
    configureApp(app, config);
    await app.listen(0, '127.0.0.1');
    return new TestApp(app, config, log);
  }

  get port(): number {
    return (this.app.getHttpServer().address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Makes a request with Alice's key, unless the headers say otherwise. */
  fetch(path: string, { headers, ...init }: RequestInit & { duplex?: 'half' } = {}): Promise<Response> {
    return fetch(this.url + path, { ...init, headers: { 'X-API-Key': API_KEY, ...(headers as Record<string, string> | undefined) } });
  }

  json(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
  }

  async stop(): Promise<void> {
    this.app.getHttpServer().closeAllConnections();
    await this.app.close();
  }
}
