import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { SessionInfo } from '@sandbox/orchestrator';
import { validationFailed } from '../../validation/validate-dto';
import type { ListSandboxesQuery } from './sandboxes.dto';

const DEFAULT_LIMIT = 100;

/**
 * Reads E2B's filter on metadata: a query string whose names and values are percent-encoded twice.
 * @throws SandboxError BAD_REQUEST
 */
export function metadataFilter(text = ''): [string, string][] {
  try {
    return [...new URLSearchParams(text)].map(([name, value]) => [decodeURIComponent(name), decodeURIComponent(value)]);
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The filter on metadata is not percent-encoded UTF-8.');
  }
}

/** A part of a list of sessions, and where the next one begins. */
export interface SandboxPage {
  readonly items: SessionInfo[];
  /** Null if there are no more. */
  readonly nextToken: string | null;
}

/**
 * Cuts the page out of a list that a query asks for: the newest first, unless it asks for another
 * order. A token names the last session of the page before, so no session comes twice if others
 * begin or end meanwhile.
 * @param sessions those that have the metadata, the oldest first
 * @throws SandboxError VALIDATION_FAILED
 */
export function sandboxPage(
  sessions: readonly SessionInfo[],
  query: ListSandboxesQuery,
  templateOf: (image: string) => string,
): SandboxPage {
  const { limit = DEFAULT_LIMIT, order = 'desc', state = 'running', template, startedAfter, nextToken } = query;
  if (!state.split(',').includes('running')) return { items: [], nextToken: null };
  const since = startedAfter === undefined ? -Infinity : Date.parse(startedAfter);
  if (Number.isNaN(since)) throw validationFailed([{ field: 'startedAfter', message: 'must be a time in ISO 8601' }]);
  const place = nextToken === undefined ? null : readToken(nextToken);
  const sign = order === 'asc' ? 1 : -1;
  const compare = (a: Place, b: Place): number => sign * (a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1])));
  const matching = sessions
    .filter((session) => template === undefined || templateOf(session.image) === template)
    .filter((session) => Date.parse(session.created_at) > since)
    .filter((session) => place === null || compare(placeOf(session), place) > 0)
    .sort((a, b) => compare(placeOf(a), placeOf(b)));
  const items = matching.slice(0, limit);
  return { items, nextToken: matching.length > limit ? writeToken(placeOf(items.at(-1)!)) : null };
}

/** Where a session stands in the list. */
type Place = readonly [createdAt: number, id: string];

function placeOf({ created_at, session_id }: SessionInfo): Place {
  return [Date.parse(created_at), session_id];
}

function writeToken(place: Place): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

function readToken(token: string): Place {
  try {
    const place: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (Array.isArray(place) && typeof place[0] === 'number' && typeof place[1] === 'string') return [place[0], place[1]];
  } catch {
    // Refused below.
  }
  throw validationFailed([{ field: 'nextToken', message: 'must be one that this server gave' }]);
}
