import { ErrorCode, SandboxError } from '@sandbox/errors';

export type Query = Record<string, string | string[]>;

/**
 * Reads a query string without the leniency of the usual parsers, which turn what they cannot decode into U+FFFD: a file call must not go
 * to another path than the one meant. A name given twice becomes a list, which no parameter takes.
 * @throws SandboxError BAD_REQUEST
 */
export function parseQuery(text: string | null | undefined): Query {
  // Without a prototype: names are the client's.
  const query = Object.create(null) as Query;
  for (const pair of (text ?? '').split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decode(at === -1 ? pair : pair.slice(0, at));
    const value = at === -1 ? '' : decode(pair.slice(at + 1));
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new SandboxError(ErrorCode.BAD_REQUEST, 'The query string is not percent-encoded UTF-8.');
  }
}
