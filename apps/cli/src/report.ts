import { AuthenticationError, ConnectionError, NotFoundError, SandboxError } from '@sandbox/client';
import { CommanderError } from 'commander';
import { note } from './printing';
import type { Settings } from './settings';
import { UsageError } from './usage-error';

/**
 * Says why a command failed, and what to do.
 * @returns the exit status
 */
export function report(error: unknown, settings: Settings | undefined): number {
  if (error instanceof CommanderError) return error.exitCode; // commander has said it
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0; // whoever read the output has gone
  messageOf(error).split('\n').forEach(note);
  const hint = hintFor(error, settings);
  if (hint !== undefined) note(hint);
  return error instanceof UsageError ? 2 : 1;
}

function messageOf(error: unknown): string {
  if (error instanceof SandboxError) {
    // A message has the first field that is wrong, or none.
    const all = (error.fields ?? []).map(({ field, message }) => (message.startsWith(field) ? message : `${field} ${message}`));
    const others = all.filter((text) => !error.message.includes(text));
    return [error.message, ...others].join('\n  ') + (error.code === undefined ? '' : ` (${error.code})`);
  }
  return error instanceof Error ? error.message : String(error);
}

function hintFor(error: unknown, settings: Settings | undefined): string | undefined {
  if (settings === undefined) return undefined;
  const { url, source, apiKey, token } = settings;
  if (error instanceof AuthenticationError) {
    return (apiKey ?? token) === undefined
      ? `There is no key for ${url}. Run \`sandbox login\`, set SANDBOX_API_KEY, or run this below the directory of a local \`npm start\`.`
      : `The key from ${source} is not one of ${url}. Run \`sandbox login\` to set another.`;
  }
  if (error instanceof ConnectionError) return `Does a server run at ${url}? \`npm start\` starts one. --url names another.`;
  if (error instanceof NotFoundError && error.code === 'SESSION_NOT_FOUND') return '`sandbox sessions` lists those that live.';
  if (error instanceof SandboxError && error.retryAfter !== undefined) return `Try again in ${error.retryAfter} s.`;
  return undefined;
}
