import type { Logger } from '@nestjs/common';
import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionStore } from '@sandbox/sessions';
import { CLOSING_MS, removeClosed } from '../entering/session-removal';
import type { Sandbox, SandboxRuntime } from '../runtime/sandbox-runtime';
import { forEachLimited } from './for-each-limited';

/** The result of one sweep. */
export interface SweepReport {
  /**
   * Sandboxes removed because their session had expired, or because another process began their
   * removal and never finished it.
   */
  readonly expired: number;
  /** Sandboxes removed because no session knew them. */
  readonly unknown: number;
  /** Workspaces on the disk removed because they had lost their sandbox. */
  readonly volumes: number;
  /** Removals that failed. A later sweep tries them again. */
  readonly failed: number;
  /** False if the store or the engine was away, or the sweeper was stopped. */
  readonly complete: boolean;
}

type Reason = 'expired' | 'unknown';

/** How many sandboxes of each kind one sweep removes. The next sweep removes the rest. */
const MAX_REMOVALS = 500;
const CONCURRENCY = 4;

/**
 * Removes sandboxes whose time is over. Persistent volumes stay.
 *
 * The store guards a session that is in use: `closeSession` is atomic, succeeds only if no call is
 * in the session, and answers true to one of two sweepers. A sandbox that no session knows is
 * removed only after it has been unknown to this sweeper for CLEANUP_MAX_CONTAINER_AGE_SECONDS.
 * Meanwhile a flushed store learns of the sessions in use from their calls.
 */
export class Sweeper {
  /**
   * When each sandbox was first seen without a session, by sandbox id, in milliseconds since the
   * epoch.
   */
  private readonly unknownSince = new Map<string, number>();
  private running: Promise<SweepReport> | null = null;
  private stopped = false;

  constructor(
    private readonly store: SessionStore,
    private readonly runtime: SandboxRuntime,
    private readonly config: Pick<Config, 'CLEANUP_MAX_CONTAINER_AGE_SECONDS'>,
    private readonly logger: Pick<Logger, 'log' | 'warn'>,
    private readonly clock: () => number = () => store.now(),
  ) {}

  /** Removes what is due. Never rejects. If a sweep is under way, returns that one. */
  sweep(): Promise<SweepReport> {
    this.running ??= this.sweepOnce().finally(() => (this.running = null));
    return this.running;
  }

  /** Begins no further removal, and resolves once those under way have ended. */
  async stopSweeping(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async sweepOnce(): Promise<SweepReport> {
    const report = { expired: 0, unknown: 0, volumes: 0, failed: 0, complete: true };
    try {
      // The engine is asked first. If it is away, no session is closed for a removal that cannot
      // happen.
      const sandboxes = await this.runtime.listSandboxes();
      const byName = new Map(sandboxes.map((sandbox) => [nameOf(sandbox), sandbox]));
      const expired = await this.store.listExpired(this.clock(), MAX_REMOVALS);
      await this.removeAll(expired, 'expired', byName, report);
      const taken = new Set(expired);
      const unknown = await this.unknownForLong(sandboxes.filter((sandbox) => !taken.has(nameOf(sandbox))));
      await this.removeAll(unknown, 'unknown', byName, report);
      report.volumes = await this.runtime.removeLostVolumes();
      if (report.volumes > 0) this.logger.log({ msg: 'lost volumes removed', count: report.volumes });
    } catch (error) {
      report.complete = false;
      this.logger.warn({ msg: 'sweep not finished', err: error });
    }
    return report;
  }

  private async unknownForLong(sandboxes: readonly Sandbox[]): Promise<string[]> {
    const now = this.clock();
    const known = await this.store.findKnown(sandboxes.map(nameOf), now);
    const unknown = sandboxes.filter((sandbox) => !known.has(nameOf(sandbox)));
    const ids = new Set(unknown.map(({ id }) => id));
    for (const id of this.unknownSince.keys()) if (!ids.has(id)) this.unknownSince.delete(id);
    for (const { id } of unknown) if (!this.unknownSince.has(id)) this.unknownSince.set(id, now);
    const due = now - this.config.CLEANUP_MAX_CONTAINER_AGE_SECONDS * 1000;
    return unknown
      .filter(({ id, createdAt }) => Math.max(createdAt, this.unknownSince.get(id)!) <= due)
      .slice(0, MAX_REMOVALS)
      .map(nameOf);
  }

  private async removeAll(
    names: readonly string[],
    reason: Reason,
    sandboxes: ReadonlyMap<string, Sandbox>,
    report: { -readonly [Field in keyof SweepReport]: SweepReport[Field] },
  ): Promise<void> {
    await forEachLimited(names, CONCURRENCY, async (name) => {
      if (this.stopped) return (report.complete = false);
      try {
        if (await this.removeSession(name, reason, sandboxes.get(name))) report[reason]++;
        return true;
      } catch (error) {
        report.failed++;
        this.logger.warn({ msg: 'sandbox not removed', reason, sandbox_key: name.slice(0, 12), err: error });
        return (report.complete = await this.canGoOn(error));
      }
    });
  }

  /**
   * Returns false if a call uses the session, another process removes it, or a pooled sandbox was
   * claimed.
   */
  private async removeSession(name: string, reason: Reason, sandbox: Sandbox | undefined): Promise<boolean> {
    const now = this.clock();
    if (sandbox?.key === null) {
      if (!(await this.runtime.discardSandbox(sandbox))) return false;
    } else {
      if (!(await this.store.closeSession(name, reason, now, now + CLOSING_MS))) return false;
      if (!(await removeClosed(this.store, this.runtime, name, this.clock))) return false;
    }
    this.logger.log({
      msg: 'sandbox removed',
      reason,
      sandbox_key: sandbox?.key === null ? null : name.slice(0, 12),
      container: sandbox ? sandbox.id.slice(0, 12) : null,
      age_seconds: sandbox ? Math.round((now - sandbox.createdAt) / 1000) : null,
    });
    return true;
  }

  /**
   * Whether the sweep can go on after an error. One sandbox that cannot be removed does not end it;
   * a store or engine that is away does.
   */
  private async canGoOn(error: unknown): Promise<boolean> {
    if (!(error instanceof SandboxError)) return true;
    if (error.code === ErrorCode.STORE_UNAVAILABLE) return false;
    return this.runtime.ping().then(
      () => true,
      () => false,
    );
  }
}

/**
 * Returns the name by which the store knows a sandbox: its session's key, or its own id if it has
 * no session.
 */
function nameOf({ key, id }: Sandbox): string {
  return key ?? id;
}
