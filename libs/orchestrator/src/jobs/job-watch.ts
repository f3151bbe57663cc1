import { Logger } from '@nestjs/common';
import type { SessionRef } from '@sandbox/sessions';
import type { OpenSandbox } from '../entering/session-connections';
import type { JobIndex } from './job-index';
import { listKept } from '../keepers/keeper-calls';

interface Watched {
  readonly ref: SessionRef;
  readonly sandbox: OpenSandbox;
}

/** How long after its end a job may still hold its session, where nobody looks at it, milliseconds. */
const LOOK_MS = 10_000;
/** Sessions that are asked at a time: an answer may be large, and each one that tells of an end costs the store some calls. */
const LOOKS_AT_A_TIME = 8;

/**
 * Lets a session go soon after its last job has ended. It asks over the open channel and does not enter the session: that would be a
 * use of it. A process that dies watches no more; its jobs then hold their sessions until somebody looks, or their time is over.
 */
export class JobWatch {
  private readonly logger = new Logger(JobWatch.name);
  private readonly sessions = new Map<string, Watched>();
  private readonly timer: NodeJS.Timeout;
  private looking = false;

  constructor(private readonly index: JobIndex) {
    this.timer = setInterval(() => void this.lookAtAll(), LOOK_MS).unref();
  }

  /** Watches the jobs of a session in which one runs. */
  add(ref: SessionRef, sandbox: OpenSandbox): void {
    this.sessions.set(ref.key, { ref, sandbox });
  }

  stop(): void {
    clearInterval(this.timer);
    this.sessions.clear();
  }

  private async lookAtAll(): Promise<void> {
    if (this.looking) return; // the round before is not over
    this.looking = true;
    const sessions = [...this.sessions.values()].values();
    const lookAtRest = async (): Promise<void> => {
      for (const session of sessions) await this.look(session);
    };
    await Promise.all(Array.from({ length: LOOKS_AT_A_TIME }, lookAtRest)).finally(() => (this.looking = false));
  }

  private async look(session: Watched): Promise<void> {
    const { ref, sandbox } = session;
    const forget = (): void => {
      // Another call may have come upon a new sandbox of the session meanwhile.
      if (this.sessions.get(ref.key) === session) this.sessions.delete(ref.key);
    };
    // With its sandbox the jobs are gone; where it is the agent alone, whoever comes next watches them again.
    if (!sandbox.channel.open) return forget();
    try {
      const { jobs, silent } = await listKept(sandbox);
      const ended = jobs.filter(({ state }) => state !== 'running');
      const known = ended.length + silent.size > 0 ? await this.index.settleAll(ref, sandbox, ended) : [];
      if (ended.length === jobs.length && !known.some(({ jobId }) => silent.has(jobId))) forget();
    } catch (error) {
      this.logger.debug({ msg: 'jobs could not be asked for', sandbox_key: ref.key.slice(0, 12), err: error });
    }
  }
}
