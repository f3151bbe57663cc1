import type { Config } from '@sandbox/config';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { OpenSandbox } from './open-sandbox';
import { sandboxShape } from '../options/session-options';

/**
 * Errors of a caller who looks for a file that an earlier sandbox may have had. A command is
 * refused in the sandbox if it calls a program that the session does not have (any more).
 */
const OF_FILES: readonly ErrorCode[] = [ErrorCode.NOT_FOUND, ErrorCode.INVALID_WORKING_DIR, ErrorCode.COMMAND_NOT_ALLOWED];

/**
 * The error of a call that does not find what it looks for, with the reason when that is known: the
 * call made the session, after an earlier one had expired, or the session's sandbox was made or
 * started anew. Any other error as it is.
 */
export function withSessionNews(config: Config, error: unknown, sandbox: OpenSandbox | undefined): unknown {
  if (!(error instanceof SandboxError) || sandbox === undefined) return error;
  const news = newsFor(error.code, config, sandbox);
  return news === undefined ? error : error.withSentence(news);
}

function newsFor(code: ErrorCode, config: Config, { created, restarted, options }: OpenSandbox): string | undefined {
  if (created && code === ErrorCode.JOB_NOT_FOUND) return 'This call made the session, so it has no jobs yet.';
  if (!OF_FILES.includes(code) || sandboxShape(config, options).persistent) return undefined;
  if (created) return 'This call made the session, so its workspace is empty.';
  return restarted ? 'The session’s sandbox was made anew, so its earlier files are gone.' : undefined;
}
