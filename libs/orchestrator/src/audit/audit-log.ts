import { Logger } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import type { SessionRef, User } from '@sandbox/sessions';
import { firstCharacters } from '@sandbox/text';
import type { WorkspacePath } from '../paths/workspace-path';

const COMMAND_CHARACTERS = 200;
/** No longer path exists; one that is asked for may be. */
const PATH_CHARACTERS = 4096;

const logger = new Logger('Audit');

/** What was asked: a command, a path (or two), a job. Environment values, stdin and file content never stand here. */
export interface AuditSubject {
  readonly op: string;
  readonly command?: string;
  readonly file?: WorkspacePath;
  readonly to?: WorkspacePath;
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
      session_id: ref.sessionId,
      ...(subject.command === undefined ? {} : { command: firstCharacters(subject.command, COMMAND_CHARACTERS) }),
      ...logged('path', subject.file),
      ...(subject.job === undefined ? {} : { job: subject.job }),
      ...logged('to', subject.to),
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

/** A path in the line, and the exact bytes of one that is no UTF-8 beside it. */
function logged(name: string, file: WorkspacePath | undefined): Record<string, string> {
  if (file === undefined) return {};
  const { path, path_base64 } = file;
  return {
    [name]: firstCharacters(path, PATH_CHARACTERS),
    ...(path_base64 !== undefined && { [`${name}_base64`]: firstCharacters(path_base64, PATH_CHARACTERS) }),
  };
}
