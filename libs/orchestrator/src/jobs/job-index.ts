import type { Config } from '@sandbox/config';
import type { JobRecord, SessionRef, SessionStore } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/session-connections';
import type { KeptJob } from '../keepers/job-answers';

/** A job's hold on its session outlives its time by so much, milliseconds: its end has still to be made. */
const HOLD_GRACE_MS = 10_000;

/** What the store has of jobs: that they were there, and that those that run hold their session. */
export class JobIndex {
  constructor(
    private readonly store: SessionStore,
    private readonly config: Pick<Config, 'JOB_MAX_SECONDS' | 'MAX_JOBS_PER_SESSION'>,
  ) {}

  /** Notes a job that is about to start, and has it hold its session; nothing but the answer where there is no room, or the session moved on. */
  async add(
    ref: SessionRef,
    sandbox: OpenSandbox,
    job: Omit<JobRecord, 'containerId' | 'startId' | 'deadline'>,
    endsBy: number,
  ): Promise<'added' | 'full' | 'moved'> {
    const { containerId, startId } = sandbox;
    const record = { ...job, containerId, startId, deadline: endsBy + HOLD_GRACE_MS };
    const added = await this.store.addJob(ref.key, sandbox.record.generation, record, this.config.MAX_JOBS_PER_SESSION);
    if (added === 'added') await this.store.resume(ref, { callId: holdId(job.jobId), deadline: record.deadline }, this.store.now());
    return added;
  }

  /**
   * Brings the store up to what the sandbox says: a job that has ended holds its session no longer, and one that runs does, also where a
   * flushed store knows nothing of it.
   */
  async settle(ref: SessionRef, sandbox: OpenSandbox, job: KeptJob): Promise<void> {
    if (job.endedAt === null) await this.hold(ref, sandbox, job);
    // Its end was a use of the session, and not when somebody learns of it. (The time comes out of the sandbox.)
    else await this.store.end(ref.key, sandbox.record.generation, holdId(job.jobId), Math.min(job.endedAt, this.store.now()));
  }

  /**
   * `settle` for all that the sandbox lists: what the store has of the session's jobs, as it was before. A sandbox may list anything, so
   * what it says has ended counts only where the store knows it, and of others that run no more are noted than there is room for.
   */
  async settleAll(ref: SessionRef, sandbox: OpenSandbox, kept: readonly KeptJob[]): Promise<JobRecord[]> {
    const known = await this.all(ref);
    const ids = new Set(known.map(({ jobId }) => jobId));
    await Promise.all(kept.filter(({ jobId }) => ids.has(jobId)).map((job) => this.settle(ref, sandbox, job)));
    for (const job of kept) {
      if (ids.has(job.jobId) || job.endedAt !== null) continue;
      if ((await this.hold(ref, sandbox, job)) !== 'added') break;
    }
    return known;
  }

  /** Oldest first. */
  all(ref: SessionRef): Promise<JobRecord[]> {
    return this.store.jobs(ref.key);
  }

  private hold(ref: SessionRef, sandbox: OpenSandbox, { jobId, command, startedAt, endsBy }: KeptJob): ReturnType<typeof this.add> {
    // The end comes out of the sandbox: no session is held for longer than a job may last.
    return this.add(ref, sandbox, { jobId, command, startedAt }, Math.min(endsBy, this.store.now() + this.config.JOB_MAX_SECONDS * 1000));
  }

  async find(ref: SessionRef, jobId: string): Promise<JobRecord | undefined> {
    return (await this.all(ref)).find((job) => job.jobId === jobId);
  }

  async forget(ref: SessionRef, sandbox: OpenSandbox, jobId: string): Promise<void> {
    await this.store.end(ref.key, sandbox.record.generation, holdId(jobId), this.store.now());
    await this.store.removeJob(ref.key, jobId);
  }
}

function holdId(jobId: string): string {
  return `job:${jobId}`;
}
