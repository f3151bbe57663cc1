/** An upstream HTTP proxy that connections go through by CONNECT. */
export interface EgressProxy {
  /** Whether the proxy itself is spoken to by TLS. */
  readonly isSecure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of Proxy-Authorization (RFC 7617), a secret. */
  readonly authorization?: string;
  /** Certificates in PEM that are trusted for the proxy, beside Node's own. */
  readonly ca?: string;
}

/**
 * Reads the URL of a proxy, such as `http://user:password@proxy.example:3128`.
 * @throws Error that never repeats the text, because it may hold a password
 */
export function parseProxy(text: string): EgressProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isProxy = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === '';
  if (!isProxy) throw new Error('must be a URL such as http://user:password@proxy.example:3128');
  const isSecure = url.protocol === 'https:';
  const credentials = decoded(url.username, url.password);
  return {
    isSecure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    ...(credentials !== ':' && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  };
}

function decoded(username: string, password: string): string {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    throw new Error('has a "%" in its user or password that is not followed by two hexadecimal digits');
  }
}
