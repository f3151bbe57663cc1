import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { type ClientSide, schemeOf } from './client-side';
import { endToEnd, type HeaderPair } from './header-pairs';

/** Headers that this side writes itself. */
const OWN: ReadonlySet<string> = new Set([
  'host',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);
/** Methods whose requests have no content unless they say so (RFC 9110, section 8.6). */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

type Asked = Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders' | 'socket'>;

/**
 * Returns the headers with which a program gets a client's request. Development servers answer only
 * to a `Host` and an `Origin` that they know, and they all know `localhost`. X-Forwarded-* tells
 * what the client has asked for. If the Origin is the program's own, X-Forwarded-For alone is told:
 * as a defence against forged requests, frameworks compare the Origin with X-Forwarded-Host and
 * -Proto if there are any (Next, Rails), else with Host (Django).
 * @throws SandboxError BAD_REQUEST
 */
export function requestHeaders(request: Asked, side: ClientSide): string[] {
  const { port, prefix, withheld, passesExpect } = side;
  const { host = '' } = request.headers;
  const passed = endToEnd(request.rawHeaders).filter(([name]) => {
    const lower = name.toLowerCase();
    return !OWN.has(lower) && !withheld.has(lower) && (passesExpect || lower !== 'expect');
  });
  return [
    ['Host', `localhost:${port}`],
    ...passed.map((pair) => asLocal(pair, host, side)),
    ...contentHeaders(request),
    ['X-Forwarded-For', forwardedFor(request)],
    ...(isOwnOrigin(request.headers.origin, host) ? [] : askedFor(request, host)),
    ...(prefix === '' ? [] : [['X-Forwarded-Prefix', prefix]]),
  ].flat();
}

/** Tells which address the client has asked for. */
function askedFor(request: Asked, host: string): HeaderPair[] {
  const scheme = schemeOf(request);
  return [
    ['X-Forwarded-Host', host],
    ['X-Forwarded-Proto', scheme],
    ['X-Forwarded-Port', /:(\d{1,5})$/.exec(host)?.[1] ?? (scheme === 'https' ? '443' : '80')],
  ];
}

/**
 * Says how long the content is. Its chunks are made anew, since they are about one connection.
 * @throws SandboxError BAD_REQUEST if the content has another coding, which would be lost
 */
function contentHeaders({ method = 'GET', headers }: Asked): HeaderPair[] {
  const { 'transfer-encoding': coding } = headers;
  if (coding !== undefined) {
    if (!/^chunked$/i.test(coding))
      throw new SandboxError(ErrorCode.BAD_REQUEST, 'The only Transfer-Encoding that is understood is chunked.');
    return [['Transfer-Encoding', 'chunked']];
  }
  // Without it, Node would send an empty content in chunks.
  return headers['content-length'] === undefined && !WITHOUT_CONTENT.has(method) ? [['Content-Length', '0']] : [];
}

/**
 * Writes the program's own origin as the program knows it. Another origin stays as it is, so that
 * the program can refuse it.
 */
function asLocal([name, value]: HeaderPair, host: string, { port, prefix }: ClientSide): HeaderPair {
  const lower = name.toLowerCase();
  if (lower !== 'origin' && lower !== 'referer') return [name, value];
  if (!isOwnOrigin(value, host)) return [name, value];
  const url = new URL(value);
  const local = `http://localhost:${port}`;
  if (lower === 'origin') return [name, local];
  const path = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname;
  return [name, `${local}${path}${url.search}`];
}

function isOwnOrigin(address: string | undefined, host: string): boolean {
  return address !== undefined && URL.canParse(address) && new URL(address).host === host.toLowerCase();
}

function forwardedFor({ headers, socket }: Asked): string {
  const before = headers['x-forwarded-for'];
  return [...(before === undefined ? [] : [before].flat()), socket.remoteAddress ?? 'unknown'].join(', ');
}
