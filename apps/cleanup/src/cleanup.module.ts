import { type DynamicModule, Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { createDockerRuntime, SANDBOX_RUNTIME, SweeperModule, SweeperService } from '@sandbox/orchestrator';
import { createSessionStore, SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { beat } from './heartbeat';

const HEARTBEAT_INTERVALS = 3;
/** However short the interval: a sweep that has much to remove takes its time, milliseconds. */
const MIN_HEARTBEAT_MS = 60_000;

/** The sweeper in a process of its own, with what it needs of the store and the engine. */
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
        { provide: SANDBOX_RUNTIME, useFactory: () => createDockerRuntime(config) },
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
    // Also after a sweep that met Docker or Redis away: the worker itself is well, and starting it anew would help nobody.
    sweeper.onSwept(() => beat(Date.now() + valid));
  }

  onApplicationShutdown(): Promise<void> {
    return this.store.disconnect();
  }
}
