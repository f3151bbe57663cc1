import type { Config } from '@sandbox/config';
import type { JobRecord, SessionRef, SessionStore } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { KeptJob } from '../keepers/job-answers';

/** A job's hold outlives its deadline by this long, because the agent needs time to end the job. */
const HOLD_GRACE_MS = 10_000;

/**
 * Keeps the store's account of jobs: which ones there were, and a hold on the session for each one
 * that runs.
 */
export class JobIndex {
  constructor(
    private readonly store: SessionStore,
    private readonly config: Pick<Config, 'JOB_MAX_SECONDS' | 'MAX_JOBS_PER_SESSION'>,
  ) {}

  /**
   * Notes a job that is about to start, and lets it hold its session. Does neither if the answer is
   * not `added`.
   * @param endsBy when the job's time is over, in milliseconds since the epoch
   * @returns `full` if the session has too many jobs; `moved` if the session began anew meanwhile
   */
  async noteJob(
    ref: SessionRef,
    sandbox: OpenSandbox,
    job: Omit<JobRecord, 'containerId' | 'startId' | 'deadline'>,
    endsBy: number,
  ): Promise<'added' | 'full' | 'moved'> {
    const { containerId, startId } = sandbox;
    const record = { ...job, containerId, startId, deadline: endsBy + HOLD_GRACE_MS };
    const added = await this.store.addJob(ref.key, sandbox.record.generation, record, this.config.MAX_JOBS_PER_SESSION);
    if (added === 'added') await this.store.resumeCall(ref, { callId: holdId(job.jobId), deadline: record.deadline }, this.store.now());
    return added;
  }

  /**
   * Updates the store to what the sandbox says of one job. A job that ended stops holding its
   * session. A job that runs holds it, even if a flushed store forgot the job.
   */
  async settleJob(ref: SessionRef, sandbox: OpenSandbox, job: KeptJob): Promise<void> {
    if (job.endedAt === null) await this.holdSession(ref, sandbox, job);
    // The job's end was the last use of the session, not the moment at which the API learns of it.
    // The time comes from the sandbox, so the store's present bounds it.
    else await this.store.endCall(ref.key, sandbox.record.generation, holdId(job.jobId), Math.min(job.endedAt, this.store.now()));
  }

  /**
   * Does `settleJob` for every job that the sandbox lists. A sandbox may list anything. So a job
   * that has ended counts only if the store knows it. And of running jobs that the store does not
   * know, only as many are noted as there is room for.
   * @returns the store's jobs of the session as they were before
   */
  async settleJobs(ref: SessionRef, sandbox: OpenSandbox, kept: readonly KeptJob[]): Promise<JobRecord[]> {
    const known = await this.listJobs(ref);
    const ids = new Set(known.map(({ jobId }) => jobId));
    await Promise.all(kept.filter(({ jobId }) => ids.has(jobId)).map((job) => this.settleJob(ref, sandbox, job)));
    for (const job of kept) {
      if (ids.has(job.jobId) || job.endedAt !== null) continue;
      if ((await this.holdSession(ref, sandbox, job)) !== 'added') break;
    }
    return known;
  }

  /** @returns the session's jobs, oldest first */
  listJobs(ref: SessionRef): Promise<JobRecord[]> {
    return this.store.listJobs(ref.key);
  }

  private holdSession(
    ref: SessionRef,
    sandbox: OpenSandbox,
    { jobId, command, startedAt, endsBy }: KeptJob,
  ): ReturnType<typeof this.noteJob> {
    // The sandbox says when the job ends, so bound it: no job holds its session for longer than
    // JOB_MAX_SECONDS.
    return this.noteJob(
      ref,
      sandbox,
      { jobId, command, startedAt },
      Math.min(endsBy, this.store.now() + this.config.JOB_MAX_SECONDS * 1000),
    );
  }

  async findJob(ref: SessionRef, jobId: string): Promise<JobRecord | undefined> {
    return (await this.listJobs(ref)).find((job) => job.jobId === jobId);
  }

  /** Ends the job's hold and removes it from the store. */
  async forgetJob(ref: SessionRef, sandbox: OpenSandbox, jobId: string): Promise<void> {
    await this.store.endCall(ref.key, sandbox.record.generation, holdId(jobId), this.store.now());
    await this.store.removeJob(ref.key, jobId);
  }
}

function holdId(jobId: string): string {
  return `job:${jobId}`;
}
