import { Logger } from '@nestjs/common';
import { SandboxError } from '@sandbox/errors';
import type { SessionRef, User } from '@sandbox/sessions';
import { firstCharacters } from '@sandbox/text';
import type { WorkspacePath } from '../paths/workspace-path';
import { loggedCommand } from './logged-command';

/** No longer path exists, but a caller may ask for one. */
const PATH_CHARACTERS = 4096;

const logger = new Logger('Audit');

/**
 * The subject of a call: a command, a path (or two), a job. Environment values, stdin and file
 * content are never part of it.
 */
export interface AuditSubject {
  readonly op: string;
  readonly command?: string;
  readonly file?: WorkspacePath;
  readonly to?: WorkspacePath;
  readonly job?: string;
  readonly port?: number;
}

/**
 * Runs one command or file call and writes its one log line, also if the call fails.
 * @param ref without a session id if the call is about no session
 * @param outcome members of the line that only the result knows, such as the exit code
 */
export async function audited<T>(
  { requestId }: User,
  ref: Pick<SessionRef, 'userId'> & { readonly sessionId?: string },
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
      ...(subject.command === undefined ? {} : { command: loggedCommand(subject.command) }),
      ...logged('path', subject.file),
      ...(subject.job === undefined ? {} : { job: subject.job }),
      ...(subject.port === undefined ? {} : { port: subject.port }),
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

/** @returns the members of the line for a path. One that is no UTF-8 gets its exact bytes too. */
function logged(name: string, file: WorkspacePath | undefined): Record<string, string> {
  if (file === undefined) return {};
  const { path, path_base64 } = file;
  return {
    [name]: firstCharacters(path, PATH_CHARACTERS),
    ...(path_base64 !== undefined && { [`${name}_base64`]: firstCharacters(path_base64, PATH_CHARACTERS) }),
  };
}
