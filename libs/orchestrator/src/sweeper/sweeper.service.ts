import { type BeforeApplicationShutdown, Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CONFIG, type Config } from '@sandbox/config';
import { SESSION_STORE, type SessionStore } from '@sandbox/sessions';
import { SANDBOX_RUNTIME, type SandboxRuntime } from '../runtime/sandbox-runtime';
import { Sweeper, type SweepReport } from './sweeper';

/** Called after each sweep, including one that was not finished. */
export type SweepListener = (report: SweepReport) => void | Promise<void>;

/**
 * Sweeps at start and every CLEANUP_INTERVAL_SECONDS. While a sweep takes longer than that, no
 * other begins.
 */
@Injectable()
export class SweeperService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Sweeper');
  private readonly sweeper: Sweeper;
  private readonly listeners: SweepListener[] = [];

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) store: SessionStore,
    @Inject(SANDBOX_RUNTIME) runtime: SandboxRuntime,
    private readonly scheduler: SchedulerRegistry,
  ) {
    this.sweeper = new Sweeper(store, runtime, config, this.logger);
  }

  onSwept(listener: SweepListener): void {
    this.listeners.push(listener);
  }

  onApplicationBootstrap(): void {
    this.scheduler.addInterval(
      'sweep',
      setInterval(() => void this.sweep(), this.config.CLEANUP_INTERVAL_SECONDS * 1000),
    );
    void this.sweep();
  }

  /**
   * Waits for the removals under way and begins no more. The scheduler clears the interval itself.
   */
  beforeApplicationShutdown(): Promise<void> {
    return this.sweeper.stopSweeping();
  }

  private async sweep(): Promise<void> {
    const report = await this.sweeper.sweep();
    this.logger.debug({ msg: 'swept', ...report });
    for (const listener of this.listeners) {
      try {
        await listener(report);
      } catch (error) {
        this.logger.warn({ msg: 'a sweep could not be reported', err: error });
      }
    }
  }
}
