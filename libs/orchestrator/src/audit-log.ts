import { Logger } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import type { SessionRef, User } from '@sandbox/sessions';

const COMMAND_CHARACTERS = 200;
/** No longer path exists; one that is asked for may be. */
const PATH_CHARACTERS = 4096;

const logger = new Logger('Audit');

/** What was asked: a command, a path (or two), a job. Environment values, stdin and file content never stand here. */
export interface AuditSubject {
  readonly op: string;
  readonly command?: string;
  readonly path?: string;
  readonly to?: string;
  readonly job?: string;
}

/**
 * Runs one command or file call and writes its one log line, whether it ends well or not.
 * @param outcome members of the line that only the result knows (the exit code)
 */
export async function audited<T>(
  { requestId }: User,
  ref: SessionRef,
  subject: AuditSubject,
  call: () => Promise<T>,
  outcome: (result: T) => Record<string, unknown> = () => ({}),
): Promise<T> {
  const started = performance.now();
  const write = (more: Record<string, unknown>): void => {
    logger.log({
      audit: true,
      request_id: requestId,
      op: subject.op,
      user: ref.userId,
      session: ref.sessionId,
      ...(subject.command === undefined ? {} : { command: subject.command.slice(0, COMMAND_CHARACTERS) }),
      ...(subject.path === undefined ? {} : { path: subject.path.slice(0, PATH_CHARACTERS) }),
      ...(subject.job === undefined ? {} : { job: subject.job }),
      ...(subject.to === undefined ? {} : { to: subject.to.slice(0, PATH_CHARACTERS) }),
      ...more,
      duration_ms: Math.round(performance.now() - started),
    });
  };
  try {
    const result = await call();
    write(outcome(result));
    return result;
  } catch (error) {
    write({ error: error instanceof SandboxError ? error.code : 'INTERNAL_ERROR' });
    throw error;
  }
}
