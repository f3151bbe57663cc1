import { normalizeName } from './names';

/** What the first request of a connection says. `none` is also a request for no host alone. */
export type RequestHost =
  | { readonly state: 'more' }
  | { readonly state: 'found'; readonly name: string; readonly port: number | undefined }
  | { readonly state: 'none' }
  | { readonly state: 'malformed' };

/** The request line and the fields may have this many bytes. */
const MAX_HEAD_BYTES = 65_536;
const MAX_REQUEST_LINE_BYTES = 8_192;

const MORE: RequestHost = { state: 'more' };
const NONE: RequestHost = { state: 'none' };
const MALFORMED: RequestHost = { state: 'malformed' };

/** Texts are read as Latin-1, so that each byte is one character. */
const REQUEST_LINE = /^([!#$%&'*+.^`|~\w-]+) ([!-~\x80-\xff]+) HTTP\/1\.\d$/;
const REQUEST_LINE_SO_FAR = /^[!#$%&'*+.^`|~\w-]+(?: |$)/;
/** A field has no blank before its colon, and does not continue the line before (RFC 9112, 5). */
const FIELD = /^([!#$%&'*+.^`|~\w-]+):[\t ]*([\t -~\x80-\xff]*?)[\t ]*$/;
const ABSOLUTE_TARGET = /^http:\/\/([^/?#]*)(?:[/?][^#]*)?$/i;
const AUTHORITY = /^([^:]*)(?::(\d{1,5}))?$/;

/**
 * Reads the host that the first request of an HTTP/1 connection is for: from its Host field, and
 * from its target if a host is there (RFC 9112, section 3.2). Both must be the same.
 *
 * It is strict where programs differ, so that no server can read another host than it does. Lines
 * end by CRLF; a bare CR or LF, a NUL and a folded line are malformed. Two Host fields, an address
 * and CONNECT, which asks for a host of its own, are a request for no host alone.
 * @param bytes all bytes of the connection so far
 */
export function readRequestHost(bytes: Buffer): RequestHost {
  const lineEnd = bytes.indexOf('\r\n');
  if (lineEnd > MAX_REQUEST_LINE_BYTES) return MALFORMED;
  if (lineEnd < 0) {
    const line = bytes.toString('latin1', 0, MAX_REQUEST_LINE_BYTES);
    return bytes.length <= MAX_REQUEST_LINE_BYTES && REQUEST_LINE_SO_FAR.test(line) ? MORE : MALFORMED;
  }
  const [, method, target] = REQUEST_LINE.exec(bytes.toString('latin1', 0, lineEnd)) ?? [];
  if (method === undefined) return MALFORMED;
  const end = bytes.indexOf('\r\n\r\n', lineEnd);
  if (end > MAX_HEAD_BYTES || (end < 0 && bytes.length > MAX_HEAD_BYTES)) return MALFORMED;
  if (end < 0) return MORE;
  const hosts = hostFields(bytes.toString('latin1', lineEnd, end));
  if (hosts === undefined) return MALFORMED;
  return method === 'CONNECT' || hosts.length !== 1 ? NONE : hostOf(target!, hosts[0]!);
}

/** @returns the values of all Host fields; undefined if a line is no field */
function hostFields(lines: string): string[] | undefined {
  const hosts: string[] = [];
  for (const line of lines.split('\r\n').slice(1)) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined) return undefined;
    if (name.toLowerCase() === 'host') hosts.push(value!);
  }
  return hosts;
}

function hostOf(target: string, field: string): RequestHost {
  const host = parseAuthority(field);
  if (target.startsWith('/') || target === '*') return host;
  const [, inTarget] = ABSOLUTE_TARGET.exec(target) ?? [];
  if (inTarget === undefined) return MALFORMED;
  const other = parseAuthority(inTarget);
  const isSame = host.state === 'found' && other.state === 'found' && host.name === other.name && (host.port ?? 80) === (other.port ?? 80);
  return isSame ? host : NONE;
}

function parseAuthority(text: string): RequestHost {
  const [, host, port] = AUTHORITY.exec(text) ?? [];
  const name = host === undefined || /[\x80-\xff]/.test(host) ? null : normalizeName(host);
  return name === null ? NONE : { state: 'found', name, port: port === undefined ? undefined : Number(port) };
}
