import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { clientClosed, ErrorCode, SandboxError } from '@sandbox/errors';
import { SESSION_STORE, sessionRef, type SessionRef, type SessionStore, type User } from '@sandbox/sessions';
import { audited } from '../audit/audit-log';
import type { AgentRequest, CallOptions } from '../channel/channel';
import { COMMAND_POLICY, type CommandPolicy } from '@sandbox/command-policy';
import type { OpenSandbox } from '../entering/open-sandbox';
import { SessionEntrance } from '../entering/session-entrance';
import { afterOwnPrograms } from '../commands/own-programs';
import { checkPolicy, parseShellCommand, timeoutMs, withSessionEnv } from '../commands/shell-command';
import { continuationPrefix, incompleteSuffix } from '@sandbox/text';
import { type Job, type JobCommand, type JobOutput, type OutputQuery, type StartedJob, startingJob } from './job';
import type { JobStream } from '../keepers/job-answers';
import { JobReader, type JobOffsets, type JobWatcher } from './job-reader';
import { SessionJobs } from './session-jobs';
import { HASTY_PAUSE_MS, KEEPER_CALL_MS, type KeptOutput, ignoreNotFound, knownId, readKept, waitForKept } from '../keepers/keeper-calls';
import { FOLLOW_MS, type JobByteWatcher, STREAM_LIMITS, streamKept, type StreamRange } from '../keepers/stream-kept';
import { signalNumber } from './signals';

/** The most bytes that one read of a job's output returns. */
export const MAX_JOB_READ_BYTES = 1024 * 1024;
/** The most bytes that one call adds to a job's input. */
export const MAX_JOB_INPUT_BYTES = 1024 * 1024;
/** The longest that one read waits for new output. */
export const MAX_JOB_WAIT_SECONDS = 30;
const DEFAULT_READ_BYTES = 64 * 1024;
const FOLLOW_READ_BYTES = 256 * 1024;
const FOLLOW_WAIT_MS = 20_000;
/**
 * A read that brings fewer bytes than this is followed by a pause of PACE_MS. So a job that writes
 * slowly does not cost one call a line.
 */
const LITTLE_BYTES = 4 * 1024;
const PACE_MS = 20;

/**
 * Commands that outlive the call that starts them. A job's keeper in the sandbox holds its output
 * and its end. So any replica can ask for them, also after a restart. The store only notes that the
 * job existed, which tells a lost job from one that never was.
 *
 * Every method but `startJob` and `listJobs` throws SandboxError JOB_NOT_FOUND. All of them throw
 * SESSION_DELETED, TOO_MANY_COMMANDS, SANDBOX_*, RUNTIME_UNAVAILABLE and STORE_UNAVAILABLE.
 */
@Injectable()
export class JobsService implements BeforeApplicationShutdown {
  private readonly jobs: SessionJobs;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SESSION_STORE) private readonly store: SessionStore,
    @Inject(COMMAND_POLICY) private readonly policy: CommandPolicy,
    private readonly entrance: SessionEntrance,
  ) {
    this.jobs = new SessionJobs(store, config);
  }

  beforeApplicationShutdown(): void {
    this.jobs.stopWatching();
  }

  /**
   * Starts a command as a job. Resolves once the command has started. A running job keeps its
   * session alive.
   * @param jobId 32 hex digits that no job of the session has
   * @throws SandboxError COMMAND_NOT_ALLOWED, VALIDATION_FAILED (timeout), INVALID_WORKING_DIR,
   *   SHELL_NOT_AVAILABLE, TOO_MANY_JOBS, and those of every method
   */
  async startJob(
    user: User,
    sessionId: string,
    command: JobCommand,
    signal?: AbortSignal,
    jobId = randomBytes(16).toString('hex'),
  ): Promise<StartedJob> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'job_start', command: command.command }, async () => {
      const request = this.startRequest(jobId, command);
      const { shell, unlisted } = checkPolicy(command, this.policy, this.config.EXEC_SHELL);
      const start = async (sandbox: OpenSandbox): Promise<StartedJob> => {
        const job = { jobId, command: command.command, startedAt: this.store.now() };
        await this.jobs.noteJob(ref, sandbox, job, request.timeout_ms, signal);
        try {
          const input = command.stdin === undefined ? undefined : Buffer.from(command.stdin);
          await sandbox.channel.sendRequest(withSessionEnv({ ...request, shell }, sandbox.options), {
            input,
            signal,
            deadlineMs: KEEPER_CALL_MS,
          });
        } catch (error) {
          await this.jobs.forgetJob(ref, sandbox, jobId).catch(() => undefined);
          throw error;
        }
        this.jobs.watchSession(ref, sandbox);
        return { ...startingJob(job), session_created: sandbox.created, session_restarted: await sandbox.takeRestarted() };
      };
      return this.entrance.enterSession(ref, KEEPER_CALL_MS, afterOwnPrograms(unlisted, signal, start));
    });
  }

  /** @returns the session's jobs, oldest first */
  async listJobs(user: User, sessionId: string, signal?: AbortSignal): Promise<Job[]> {
    const ref = this.ref(user, sessionId);
    return this.entrance.enterSession(ref, KEEPER_CALL_MS, (sandbox) => this.jobs.listJobs(ref, sandbox, signal));
  }

  /** @returns one job as it is now */
  async getJob(user: User, sessionId: string, jobId: string, signal?: AbortSignal): Promise<Job> {
    const ref = this.ref(user, sessionId);
    return this.entrance.enterSession(ref, KEEPER_CALL_MS, (sandbox) => this.jobs.getJob(ref, sandbox, jobId, signal));
  }

  /**
   * Waits until a job has ended, at most `seconds`. A client that goes away ends the wait.
   * @returns the job as it is then
   */
  async waitForJob(user: User, sessionId: string, jobId: string, seconds: number, signal?: AbortSignal): Promise<Job> {
    const ref = this.ref(user, sessionId);
    const giveUpAt = performance.now() + seconds * 1000;
    const leftMs = (): number => Math.ceil(giveUpAt - performance.now());
    for (let rounds = 0; ; rounds++) {
      const job = await this.getJob(user, sessionId, jobId, signal);
      if (job.state !== 'running' || leftMs() <= 0) return job;
      // A real keeper waits until the end, unless too many others ask it.
      if (rounds > 0) await sleep(Math.min(HASTY_PAUSE_MS, leftMs()));
      const waitMs = Math.max(leftMs(), 0);
      await this.entrance
        .enterSession(ref, KEEPER_CALL_MS + waitMs, (sandbox) => waitForKept(sandbox, jobId, waitMs, signal))
        .catch(ignoreNotFound); // it is about to start, or lost, or deleted: the next look tells
      if (signal?.aborted) throw clientClosed();
    }
  }

  /**
   * Reads output from an offset on, as much as is there and fits. If the output is text and ends
   * within a character, that character is left for the next read.
   * @throws SandboxError RANGE_NOT_SATISFIABLE, JOB_LOST, and those of every method
   */
  async readOutput(user: User, sessionId: string, jobId: string, query: OutputQuery, signal?: AbortSignal): Promise<JobOutput> {
    const ref = this.ref(user, sessionId);
    const { stream = 'stdout', offset = 0, limit = DEFAULT_READ_BYTES, encoding = 'utf8', wait_seconds = 0 } = query;
    return audited(user, ref, { op: 'job_output', job: jobId }, async () => {
      const { bytes, parts } = await this.readKept(ref, jobId, { [stream]: offset }, limit, wait_seconds * 1000, signal);
      const part = parts[stream]!;
      const held = encoding === 'utf8' && !part.eof ? incompleteSuffix(bytes[stream]) : 0;
      // The rest of a character is useless if its beginning was dropped.
      const lost = encoding === 'utf8' && part.gap > 0 ? continuationPrefix(bytes[stream]) : 0;
      const data = bytes[stream].subarray(lost, bytes[stream].length - held);
      return { data: data.toString(encoding), next_offset: part.nextOffset - held, eof: part.eof, gap: part.gap + lost };
    });
  }

  /**
   * Hands output to the watcher as it appears, until the job has ended and all of it was given. A
   * client that goes away ends the call.
   * @param from where to begin in each stream, in bytes
   * @param streams the streams to follow
   * @returns the job as it ended, or as lost
   */
  async followOutput(
    user: User,
    sessionId: string,
    jobId: string,
    { from, streams, encoding = 'utf8' }: { from: JobOffsets; streams: readonly JobStream[]; encoding?: 'utf8' | 'base64' },
    watcher: JobWatcher,
    signal: AbortSignal,
  ): Promise<Job> {
    const ref = this.ref(user, sessionId);
    return audited(user, ref, { op: 'job_output', job: jobId }, async () => {
      try {
        const reader = new JobReader(from, streams, encoding, watcher);
        while (!reader.done) {
          const { bytes, parts, hasty } = await this.readKept(ref, jobId, reader.wanted, FOLLOW_READ_BYTES, FOLLOW_WAIT_MS, signal);
          await reader.takeOutput(bytes, parts);
          if (signal.aborted) throw clientClosed();
          const little = bytes.stdout.length + bytes.stderr.length < LITTLE_BYTES;
          if (little && !reader.done) await sleep(hasty ? HASTY_PAUSE_MS : PACE_MS);
        }
      } catch (error) {
        if (!(error instanceof SandboxError) || error.code !== ErrorCode.JOB_LOST) throw error;
      }
      return this.getJob(user, sessionId, jobId, signal);
    });
  }

  /**
   * Hands the exact bytes of one stream to the watcher, until the job has ended and all of it was
   * given. With `limit`, until that many were given. With `wait_seconds`, until so long has passed
   * and what was there then was given. A client that goes away ends the call.
   * @throws SandboxError RANGE_NOT_SATISFIABLE if the bytes at the offset are dropped, or if later
   *   bytes are before the watcher takes them; JOB_LOST, and those of every method. If it throws
   *   after `watcher.begin`, the bytes are not whole.
   */
  async streamOutput(
    user: User,
    sessionId: string,
    jobId: string,
    { stream = 'stdout', offset, limit, wait_seconds }: Omit<OutputQuery, 'encoding'>,
    watcher: JobByteWatcher,
    signal: AbortSignal,
  ): Promise<void> {
    const ref = this.ref(user, sessionId);
    const followMs = wait_seconds === undefined ? FOLLOW_MS : wait_seconds * 1000;
    let range: StreamRange = { stream, offset: offset ?? null, limit: limit ?? null };
    let sink = watcher;
    await audited(user, ref, { op: 'job_output', job: jobId }, async () => {
      for (;;) {
        const began = performance.now();
        const { nextOffset, size, eof } = await this.entrance.enterSession(ref, STREAM_LIMITS.deadlineMs, (sandbox) =>
          streamKept(sandbox, jobId, range, followMs, sink, signal).catch((error: unknown) =>
            this.explainOutput(ref, sandbox, jobId, error),
          ),
        );
        const left = range.limit === null ? null : range.limit - size;
        if (eof || left === 0 || wait_seconds !== undefined) return;
        if (signal.aborted) throw clientClosed();
        // A real keeper answers for FOLLOW_MS, unless too many others wait.
        if (performance.now() - began < FOLLOW_MS / 2) await sleep(size === 0 ? HASTY_PAUSE_MS : PACE_MS);
        range = { stream, offset: nextOffset, limit: left };
        sink = { ...watcher, begin: () => undefined };
      }
    });
  }

  /**
   * Adds to the job's input. If this throws, nothing was added.
   * @param eof closes the input after these bytes
   * @throws SandboxError JOB_STDIN_CLOSED, JOB_STDIN_FULL, and those of every method
   */
  async writeInput(user: User, sessionId: string, jobId: string, input: Buffer, eof: boolean, signal?: AbortSignal): Promise<void> {
    await this.changeJob('job_input', user, sessionId, jobId, { op: 'job_stdin', eof }, { input, signal });
  }

  /**
   * Sends a signal to the job's process group, as a terminal does.
   * @param given what `signalNumber` reads, such as `SIGINT`
   * @throws SandboxError VALIDATION_FAILED if it is no such signal; JOB_ENDED, and those of every
   *   method
   */
  async sendSignal(user: User, sessionId: string, jobId: string, given: string | number, signal?: AbortSignal): Promise<void> {
    const number = signalNumber(given);
    if (number === null) throw new SandboxError(ErrorCode.VALIDATION_FAILED, 'There is no such signal for a job.');
    await this.changeJob('job_signal', user, sessionId, jobId, { op: 'job_signal', signal: number }, { signal });
  }

  /** Kills the job and everything it started, and forgets it. */
  async deleteJob(user: User, sessionId: string, jobId: string, signal?: AbortSignal): Promise<void> {
    const ref = this.ref(user, sessionId);
    await audited(user, ref, { op: 'job_delete', job: jobId }, () =>
      this.entrance.enterSession(ref, KEEPER_CALL_MS, (sandbox) => this.jobs.deleteJob(ref, sandbox, jobId, signal)),
    );
  }

  private ref(user: User, sessionId: string): SessionRef {
    return sessionRef(this.config.DEPLOYMENT, user, sessionId);
  }

  private startRequest(jobId: string, command: JobCommand): Omit<AgentRequest & { op: 'job_start' }, 'shell'> {
    const { JOB_MAX_SECONDS, JOB_MAX_OUTPUT_BYTES } = this.config;
    return {
      op: 'job_start',
      job_id: jobId,
      timeout_ms: timeoutMs(command.timeout ?? JOB_MAX_SECONDS, JOB_MAX_SECONDS),
      ...parseShellCommand(command),
      max_output: JOB_MAX_OUTPUT_BYTES,
      stdin: command.stdin !== undefined,
      open_stdin: command.open_stdin === true,
    };
  }

  private async readKept(
    ref: SessionRef,
    jobId: string,
    offsets: Partial<Record<JobStream, number>>,
    limit: number,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<KeptOutput> {
    return this.entrance.enterSession(ref, KEEPER_CALL_MS + waitMs, (sandbox) =>
      readKept(sandbox, jobId, offsets, limit, waitMs, signal).catch((error: unknown) => this.explainOutput(ref, sandbox, jobId, error)),
    );
  }

  private async changeJob(
    op: string,
    user: User,
    sessionId: string,
    jobId: string,
    request: { op: 'job_stdin'; eof: boolean } | { op: 'job_signal'; signal: number },
    options: Omit<CallOptions, 'deadlineMs'>,
  ): Promise<void> {
    const ref = this.ref(user, sessionId);
    await audited(user, ref, { op, job: jobId }, () =>
      this.entrance.enterSession(ref, KEEPER_CALL_MS, async (sandbox) => {
        try {
          await sandbox.channel.sendRequest({ ...request, job_id: knownId(jobId) }, { ...options, deadlineMs: KEEPER_CALL_MS });
        } catch (error) {
          await this.jobs.findAbsent(ref, sandbox, jobId, error);
          throw new SandboxError(ErrorCode.JOB_ENDED, 'The job was lost with its sandbox.', { cause: error });
        }
      }),
    );
  }

  private async explainOutput(ref: SessionRef, sandbox: OpenSandbox, jobId: string, error: unknown): Promise<never> {
    await this.jobs.findAbsent(ref, sandbox, jobId, error);
    throw new SandboxError(ErrorCode.JOB_LOST, 'The job was lost with its sandbox, and its output too.', { cause: error });
  }
}
