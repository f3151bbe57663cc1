import { ErrorCode } from '@sandbox/errors';
import { parseAgentJson } from './agent-values';
import { firstCharacters, isObject } from '@sandbox/text';

/** The content of an END frame. */
export type AgentAnswer =
  | { readonly code: null; readonly ok: Record<string, unknown> }
  | { readonly code: ErrorCode; readonly detail: string; readonly cause?: Error };

/**
 * The codes that an agent may give (agent/PROTOCOL.md). So no sandbox can make the API answer, for
 * example, that the caller is not authenticated.
 */
export const AGENT_CODES: ReadonlySet<unknown> = new Set<ErrorCode>([
  'ARCHIVE_REFUSED',
  'INVALID_PATH',
  'INVALID_WORKING_DIR',
  'SHELL_NOT_AVAILABLE',
  'PATH_OUTSIDE_WORKSPACE',
  'PERMISSION_DENIED',
  'NOT_FOUND',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'NOT_A_REGULAR_FILE',
  'FILE_TOO_LARGE',
  'RANGE_NOT_SATISFIABLE',
  'STORAGE_FULL',
  'JOB_NOT_FOUND',
  'JOB_ENDED',
  'JOB_STDIN_CLOSED',
  'JOB_STDIN_FULL',
  'ALREADY_EXISTS',
  'PRECONDITION_FAILED',
  'WORKSPACE_LOCKED',
  'EDIT_NOT_APPLICABLE',
  'INVALID_PATTERN',
  'SEARCH_TIMED_OUT',
  'TOO_MANY_COMMANDS',
  'SANDBOX_EXHAUSTED',
  'SANDBOX_LOST',
  'CLIENT_CLOSED_REQUEST',
]);

const MAX_DETAIL_CHARACTERS = 300;
// Control and format characters, lone surrogates, line and paragraph separators: none of them has a
// place in one line of plain text.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/**
 * Makes text out of a sandbox fit for a message or a log line: one line, at most 300 characters.
 */
export function plainText(untrusted: string): string {
  return firstCharacters(untrusted, MAX_DETAIL_CHARACTERS).replace(UNPRINTABLE, ' ').trim();
}

/**
 * Reads the JSON object of a payload. Its members may still be anything.
 * @returns null if the payload holds no object
 */
export function findJsonObject(payload: Buffer): Record<string, unknown> | null {
  try {
    const value = parseAgentJson(payload.toString('utf8'));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * Reads the payload of an END frame.
 * @returns null if it does not hold exactly one well-formed member, `ok` or `error`
 */
export function parseAnswer(payload: Buffer): AgentAnswer | null {
  const end = findJsonObject(payload);
  if (end === null || Object.keys(end).length !== 1) return null;
  if (isObject(end.ok)) return { code: null, ok: end.ok };
  if (!isObject(end.error) || typeof end.error.code !== 'string' || typeof end.error.detail !== 'string') return null;
  const detail = plainText(end.error.detail);
  if (isAgentCode(end.error.code)) return { code: end.error.code, detail };
  const cause = new Error(`agent: ${plainText(end.error.code)}: ${detail}`);
  return { code: ErrorCode.INTERNAL_ERROR, detail: 'The sandbox reported an internal error.', cause };
}

function isAgentCode(code: string): code is ErrorCode {
  return AGENT_CODES.has(code);
}
