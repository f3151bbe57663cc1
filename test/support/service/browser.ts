/**
 * The headers that a page may read of another origin's answer (Fetch, 2.2.2), besides those that
 * the server exposes.
 */
const SAFE_RESPONSE_HEADERS = ['cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'];
const SAFE_REQUEST_HEADERS = ['accept', 'accept-language', 'content-language'];
const SAFE_METHODS = ['GET', 'HEAD', 'POST'];

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/**
 * Returns `fetch` as a page of that origin has it. A browser asks the server with a preflight
 * before it sends what a form could not send. And it hides what the server does not let the page
 * read (Fetch, 3.2, 4.8).
 */
export function browserFetch(origin: string): Fetch {
  return async (url, init = {}) => {
    const headers = new Headers(init.headers);
    const method = (init.method ?? 'GET').toUpperCase();
    await preflight(url, origin, method, unsafe(headers));
    headers.set('Origin', origin);
    const response = await fetch(url, { ...init, headers });
    allow(response, origin);
    const exposed = [...SAFE_RESPONSE_HEADERS, ...listed(response, 'access-control-expose-headers')];
    const readable = [...response.headers].filter(([name]) => exposed.includes(name));
    const { status, statusText } = response;
    return new Response(status === 204 || status === 205 ? null : response.body, { status, statusText, headers: readable });
  };
}

function unsafe(headers: Headers): string[] {
  return [...headers.keys()].filter((name) => !SAFE_REQUEST_HEADERS.includes(name));
}

async function preflight(url: string | URL, origin: string, method: string, names: string[]): Promise<void> {
  if (SAFE_METHODS.includes(method) && names.length === 0) return;
  const headers = {
    Origin: origin,
    'Access-Control-Request-Method': method,
    'Access-Control-Request-Headers': names.join(','),
  };
  const response = await fetch(url, { method: 'OPTIONS', headers });
  if (!response.ok) throw new TypeError(`CORS: the preflight is ${response.status}`);
  allow(response, origin);
  const methods = listed(response, 'access-control-allow-methods');
  if (!SAFE_METHODS.includes(method) && !methods.includes(method.toLowerCase())) throw new TypeError(`CORS: ${method} is not allowed`);
  const allowed = listed(response, 'access-control-allow-headers');
  const refused = names.filter((name) => !allowed.includes(name));
  if (refused.length > 0) throw new TypeError(`CORS: ${refused.join(', ')} not allowed`);
}

function allow(response: Response, origin: string): void {
  if (response.headers.get('access-control-allow-origin') !== origin) throw new TypeError('CORS: the origin is not allowed');
}

function listed(response: Response, header: string): string[] {
  const value = response.headers.get(header) ?? '';
  return value.toLowerCase().split(/\s*,\s*/);
}
