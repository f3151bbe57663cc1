import { Logger } from '@nestjs/common';
import type { SessionRef } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/open-sandbox';
import type { JobIndex } from './job-index';
import { listKept } from '../keepers/keeper-calls';

interface Watched {
  readonly ref: SessionRef;
  readonly sandbox: OpenSandbox;
}

/**
 * How often the jobs are asked for. So a job that ended holds its session for at most this long.
 */
const LOOK_MS = 10_000;
/**
 * How many sessions are asked at a time. An answer may be large, and each one that reports an end
 * costs some calls to the store.
 */
const LOOKS_AT_A_TIME = 8;

/**
 * Releases a session soon after its last job has ended. It asks over the open channel and does not
 * enter the session, because that would count as a use. If this process dies, nothing watches its
 * jobs. They then hold their sessions until another call asks for them or their time is over.
 */
export class JobWatch {
  private readonly logger = new Logger(JobWatch.name);
  private readonly sessions = new Map<string, Watched>();
  private readonly timer: NodeJS.Timeout;
  private looking = false;

  constructor(private readonly index: JobIndex) {
    this.timer = setInterval(() => void this.askAll(), LOOK_MS).unref();
  }

  /** Watches the jobs of a session. The caller knows that at least one runs. */
  watchSession(ref: SessionRef, sandbox: OpenSandbox): void {
    this.sessions.set(ref.key, { ref, sandbox });
  }

  stopWatching(): void {
    clearInterval(this.timer);
    this.sessions.clear();
  }

  private async askAll(): Promise<void> {
    if (this.looking) return; // the last round still runs
    this.looking = true;
    const sessions = [...this.sessions.values()].values();
    const lookAtRest = async (): Promise<void> => {
      for (const session of sessions) await this.askSession(session);
    };
    await Promise.all(Array.from({ length: LOOKS_AT_A_TIME }, lookAtRest)).finally(() => (this.looking = false));
  }

  private async askSession(session: Watched): Promise<void> {
    const { ref, sandbox } = session;
    const forget = (): void => {
      // Another call may have found a new sandbox of the session meanwhile, and watch that one.
      if (this.sessions.get(ref.key) === session) this.sessions.delete(ref.key);
    };
    // The channel is closed. If the sandbox is gone, so are its jobs. If only the agent is gone,
    // the next call watches the jobs again.
    if (!sandbox.channel.open) return forget();
    try {
      const { jobs, silent } = await listKept(sandbox);
      const ended = jobs.filter(({ state }) => state !== 'running');
      const known = ended.length + silent.size > 0 ? await this.index.settleJobs(ref, sandbox, ended) : [];
      if (ended.length === jobs.length && !known.some(({ jobId }) => silent.has(jobId))) forget();
    } catch (error) {
      this.logger.debug({ msg: 'jobs could not be asked for', sandbox_key: ref.key.slice(0, 12), err: error });
    }
  }
}
