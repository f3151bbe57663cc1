import { ErrorCode, SandboxError } from '@sandbox/errors';

/** Many times what any call takes. */
const MAX_PAIRS = 64;

export type Query = Record<string, string | string[]>;

/**
 * Reads a query string strictly. The usual parsers turn what they cannot decode into U+FFFD, so a
 * file call could reach another path than the caller meant. A name that is given twice becomes a
 * list, which no parameter takes.
 * @throws SandboxError BAD_REQUEST
 */
export function parseQuery(text: string | null | undefined): Query {
  // It has no prototype, since the client chooses the names.
  const query = Object.create(null) as Query;
  const pairs = (text ?? '').split('&');
  if (pairs.length > MAX_PAIRS) throw new SandboxError(ErrorCode.BAD_REQUEST, `The query string has more than ${MAX_PAIRS} parts.`);
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decode(at === -1 ? pair : pair.slice(0, at));
    const value = at === -1 ? '' : decode(pair.slice(at + 1));
    const before = query[name];
    if (Array.isArray(before)) before.push(value);
    else query[name] = before === undefined ? value : [before, value];
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new SandboxError(
      ErrorCode.BAD_REQUEST,
      'The query string is not percent-encoded UTF-8. A path that is not UTF-8 goes in path_base64.',
    );
  }
}
