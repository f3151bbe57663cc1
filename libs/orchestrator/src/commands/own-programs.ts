import type { UnlistedPrograms } from '@sandbox/command-policy';
import { isCount, unsound } from '../channel/agent-values';
import type { OpenSandbox } from '../entering/open-sandbox';

/** How long an agent may look for programs on PATH, milliseconds. */
const LOOKUP_MS = 5_000;

/**
 * Puts a question to the sandbox before `work`: are the names that the policy's list does not have
 * programs of the session's own? A command whose names are all on the list asks nothing.
 * @returns the work with the question before it. It throws SandboxError COMMAND_NOT_ALLOWED for the
 *   first name that is no such program. Then nothing of the command has begun.
 */
export function afterOwnPrograms<T>(
  unlisted: UnlistedPrograms | undefined,
  signal: AbortSignal | undefined,
  work: (sandbox: OpenSandbox) => Promise<T>,
): (sandbox: OpenSandbox) => Promise<T> {
  if (unlisted === undefined) return work;
  return async (sandbox) => {
    await findOwnPrograms(sandbox, unlisted, signal);
    return work(sandbox);
  };
}

/**
 * Asks the sandbox whether these are programs of the session's own.
 * @throws SandboxError COMMAND_NOT_ALLOWED for the first name that is no such program
 */
export async function findOwnPrograms(
  { channel, options }: Pick<OpenSandbox, 'channel' | 'options'>,
  unlisted: UnlistedPrograms,
  signal?: AbortSignal,
): Promise<void> {
  const { names } = unlisted;
  // A command that sets PATH itself has no names to ask about.
  const request = { op: 'own_programs', names, search_path: options.env?.PATH } as const;
  const { first_other: index } = await channel.sendRequest(request, { signal, deadlineMs: LOOKUP_MS });
  if (index === null) return;
  if (!isCount(index) || index >= names.length) throw unsound();
  throw unlisted.refusal(index);
}
