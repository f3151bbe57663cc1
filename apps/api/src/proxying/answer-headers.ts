import type { ClientSide } from './client-side';
import { endToEnd, type HeaderPair, type RawHeaders } from './header-pairs';

/**
 * Headers that say something of other origins than the program's own: cookies of the whole domain,
 * and another address for the same name.
 */
const BEYOND_ORIGIN: ReadonlySet<string> = new Set(['alt-svc', 'clear-site-data']);
const DOMAIN_ATTRIBUTE = /;\s*domain\s*=[^;]*/gi;
/** The addresses by which a program may call itself. */
const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]', '0.0.0.0', '[::]']);

/** Returns the headers with which a client gets a program's answer. */
export function answerHeaders(raw: RawHeaders, side: ClientSide): HeaderPair[] {
  return endToEnd(raw)
    .filter(([name]) => !BEYOND_ORIGIN.has(name.toLowerCase()))
    .map(([name, value]) => {
      const lower = name.toLowerCase();
      // Without a domain, a cookie goes to this very host alone (RFC 6265, section 5.3).
      if (lower === 'set-cookie') return [name, value.replace(DOMAIN_ATTRIBUTE, '')];
      if (lower === 'location' || lower === 'content-location') return [name, fromClient(value, side)];
      return [name, value];
    });
}

/** Turns an address of the program itself into the path that the client can ask for. */
function fromClient(location: string, { port, prefix }: ClientSide): string {
  if (location.startsWith('/') && !/^\/[/\\]/.test(location)) return prefix + location;
  const base = `http://localhost:${port}`;
  if (!/^(?:https?:)?\/\//i.test(location) || !URL.canParse(location, base)) return location;
  const { protocol, hostname, port: named, pathname, search, hash } = new URL(location, base);
  const isOwn = LOCAL_NAMES.has(hostname) && Number(named || (protocol === 'https:' ? 443 : 80)) === port;
  return isOwn ? `${prefix}${pathname.replace(/^\/+/, '/')}${search}${hash}` : location;
}
