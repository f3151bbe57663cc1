import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { createSandboxRuntime, SANDBOX_RUNTIME, SweeperModule, SweeperService } from '@sandbox/orchestrator';
import { createSessionStore, SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { beat } from './heartbeat';

const HEARTBEAT_INTERVALS = 3;
/**
 * The shortest time for which a heartbeat counts. A sweep with much to remove takes longer than a
 * short interval.
 */
const MIN_HEARTBEAT_MS = 60_000;

/** Runs the sweeper in a process of its own, with its store and runtime. */
@Global()
@Module({})
export class CleanupModule implements OnApplicationShutdown {
  static register(config: Config): DynamicModule {
    return {
      module: CleanupModule,
      imports: [SweeperModule],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: SESSION_STORE, useFactory: () => createSessionStore(config) },
        { provide: SANDBOX_RUNTIME, useFactory: () => createSandboxRuntime(config) },
      ],
      exports: [CONFIG, SESSION_STORE, SANDBOX_RUNTIME],
    };
  }

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    sweeper: SweeperService,
  ) {
    const valid = Math.max(HEARTBEAT_INTERVALS * config.CLEANUP_INTERVAL_SECONDS * 1000, MIN_HEARTBEAT_MS);
    // A sweep also counts if Docker or Redis was away. The worker itself is well then, and
    // restarting it would not help.
    sweeper.onSwept(() => beat(Date.now() + valid));
  }

  onApplicationShutdown(): Promise<void> {
    return this.store.disconnect();
  }
}
