import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { JobRecord, SessionRef, SessionStore } from '@sandbox/sessions';
import { RequestNotSentError } from '../channel/channel';
import type { OpenSandbox } from '../entering/open-sandbox';
import { networkReport } from '../outgoing/network-report';
import { deleteKept, ignoreNotFound, listKept, statKept } from '../keepers/keeper-calls';
import type { KeptJob } from '../keepers/job-answers';
import { absentJob, type Job, keptJob, silentJob } from './job';
import { JobIndex } from './job-index';
import { JobWatch } from './job-watch';

/**
 * What the store and the sandbox together know of a session's jobs. Each call has entered the
 * session already.
 */
export class SessionJobs {
  private readonly index: JobIndex;
  private readonly watch: JobWatch;

  constructor(
    private readonly store: SessionStore,
    private readonly config: Config,
  ) {
    this.index = new JobIndex(store, config);
    this.watch = new JobWatch(this.index);
  }

  stopWatching(): void {
    this.watch.stopWatching();
  }

  /** Releases the session soon after the job that has just started has ended. */
  watchSession(ref: SessionRef, sandbox: OpenSandbox): void {
    this.watch.watchSession(ref, sandbox);
  }

  /**
   * Notes a job that is about to start in the store. If the session has too many jobs, the oldest
   * one that has ended is deleted for it.
   * @param timeMs the longest that the job may run
   * @throws SandboxError TOO_MANY_JOBS
   */
  async noteJob(
    ref: SessionRef,
    sandbox: OpenSandbox,
    job: Pick<JobRecord, 'jobId' | 'command' | 'startedAt'>,
    timeMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    for (let deletions = 0; ; deletions++) {
      const added = await this.index.noteJob(ref, sandbox, job, job.startedAt + timeMs);
      if (added === 'added') return;
      if (added === 'moved') throw new RequestNotSentError('The session was begun anew.');
      const ended = deletions < this.config.MAX_JOBS_PER_SESSION ? await this.findOldestEnded(ref, sandbox, signal) : undefined;
      if (ended === undefined) {
        const detail = `The session runs ${this.config.MAX_JOBS_PER_SESSION} jobs already.`;
        throw new SandboxError(ErrorCode.TOO_MANY_JOBS, detail, { retryAfter: 5 });
      }
      await deleteKept(sandbox, ended.job_id, signal).catch(ignoreNotFound);
      await this.index.forgetJob(ref, sandbox, ended.job_id);
    }
  }

  /** Ends the job's hold on its session and forgets it. */
  forgetJob(ref: SessionRef, sandbox: OpenSandbox, jobId: string): Promise<void> {
    return this.index.forgetJob(ref, sandbox, jobId);
  }

  /** @returns the session's jobs, oldest first */
  async listJobs(ref: SessionRef, sandbox: OpenSandbox, signal?: AbortSignal): Promise<Job[]> {
    const { jobs: kept, silent } = await listKept(sandbox, signal);
    const known = await this.index.settleJobs(ref, sandbox, kept);
    const there = new Set(kept.map(({ jobId }) => jobId));
    const others = known
      .filter(({ jobId }) => !there.has(jobId))
      .map((job) => (silent.has(job.jobId) ? silentJob(job) : absentJob(job, sandbox, this.store.now())));
    const told = await this.tellJobs(sandbox, kept);
    const jobs = [...told, ...others].sort((a, b) => a.started_at.localeCompare(b.started_at));
    if (jobs.some(({ state }) => state === 'running')) this.watchSession(ref, sandbox);
    return jobs;
  }

  /**
   * @returns the job as it is now; as lost or about to start, if only the store knows it
   * @throws SandboxError JOB_NOT_FOUND
   */
  async getJob(ref: SessionRef, sandbox: OpenSandbox, jobId: string, signal?: AbortSignal): Promise<Job> {
    try {
      const kept = await statKept(sandbox, jobId, signal);
      await this.index.settleJob(ref, sandbox, kept);
      if (kept.state === 'running') this.watchSession(ref, sandbox);
      return (await this.tellJobs(sandbox, [kept]))[0]!;
    } catch (error) {
      return this.findAbsent(ref, sandbox, jobId, error);
    }
  }

  /**
   * Kills the job and everything it started, and forgets it.
   * @throws SandboxError JOB_NOT_FOUND if the store does not know it either
   */
  async deleteJob(ref: SessionRef, sandbox: OpenSandbox, jobId: string, signal?: AbortSignal): Promise<void> {
    try {
      await deleteKept(sandbox, jobId, signal);
    } catch (error) {
      await this.findAbsent(ref, sandbox, jobId, error);
    }
    await this.index.forgetJob(ref, sandbox, jobId);
  }

  /**
   * Explains that the sandbox does not know the job.
   * @returns the job as lost, or as about to start, if the store knows it
   * @throws the given error, if it is another one or the store does not know the job
   */
  async findAbsent(ref: SessionRef, sandbox: OpenSandbox, jobId: string, error: unknown): Promise<Job> {
    if (!(error instanceof SandboxError) || error.code !== ErrorCode.JOB_NOT_FOUND) throw error;
    const record = await this.index.findJob(ref, jobId);
    if (record === undefined) throw error;
    return absentJob(record, sandbox, this.store.now());
  }

  /** Describes jobs, with what the network refused while they ran. */
  private async tellJobs({ network, options }: OpenSandbox, jobs: readonly KeptJob[]): Promise<Job[]> {
    const first = Math.min(...jobs.map(({ startedAt }) => startedAt));
    const denials = network === null || jobs.length === 0 ? [] : await network.allDenialsSince(first);
    return jobs.map((job) => {
      const meanwhile = denials.filter(({ at }) => at >= job.startedAt && at <= (job.endedAt ?? Infinity));
      return { ...keptJob(job, this.config, options), ...networkReport(meanwhile) };
    });
  }

  /**
   * @returns the oldest ended job that the store knows. A sandbox can list other jobs without end,
   *   and deleting those makes no room.
   */
  private async findOldestEnded(ref: SessionRef, sandbox: OpenSandbox, signal?: AbortSignal): Promise<Job | undefined> {
    const known = new Set((await this.index.listJobs(ref)).map(({ jobId }) => jobId));
    return (await this.listJobs(ref, sandbox, signal)).find(({ job_id, state }) => state !== 'running' && known.has(job_id));
  }
}
