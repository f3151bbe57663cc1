import createClient, { type Client } from 'openapi-fetch';
import { errorOf, errorOfResponse, retryAfterOf } from './errors.ts';
import { type Fetch, retrying } from './retrying.ts';
import type { paths } from './schema.ts';

/** How to reach the service. What is absent comes from the environment, if there is one. */
export interface ConnectionOptions {
  /** Default: SANDBOX_URL, else `http://127.0.0.1:8000`. */
  url?: string;
  /** An API key. Default: SANDBOX_API_KEY. */
  apiKey?: string;
  /** A JWT, instead of an API key. Default: SANDBOX_TOKEN. */
  token?: string;
  /** How often a call is made again that may be made again (see README). Default: 3; 0: never. */
  retries?: number;
  /** Called instead of the global `fetch`. */
  fetch?: Fetch;
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call. A command that it runs ends with it. */
  signal?: AbortSignal;
}

/** Options of a request. A member of `query` that is undefined is left out. */
export type RequestOptions = Omit<RequestInit, 'headers'> & {
  headers?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, unknown>>;
};

export type RequestBody = NonNullable<RequestInit['body']>;

interface Outcome<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** Carries calls to the service, with the caller's credential. */
export class Connection {
  readonly url: string;
  /** The API, typed by its own description. */
  readonly api: Client<paths>;
  /** As a header has it. Programs that open WebSockets by themselves need it. */
  readonly headers: Readonly<Record<string, string>>;
  private readonly fetch: Fetch;
  private readonly retries: number;

  constructor(options: ConnectionOptions = {}) {
    this.url = (options.url ?? environment('SANDBOX_URL') ?? 'http://127.0.0.1:8000').replace(/\/+$/, '');
    this.headers = credential(options);
    this.retries = options.retries ?? 3;
    const send = options.fetch ?? ((url, init) => fetch(url, init));
    this.fetch = retrying(send, this.retries);
    const fetchWhole = retrying(whole(send), this.retries);
    this.api = createClient<paths>({
      baseUrl: this.url,
      headers: this.headers,
      // A Request could be sent only once.
      Request: AskedFor as unknown as typeof Request,
      fetch: (request) => {
        const { url, init } = request as unknown as AskedFor;
        return fetchWhole(url, init);
      },
    });
  }

  /** A key that lets a call be made again that could otherwise run twice. Undefined: it is not. */
  newKey(): string | undefined {
    return this.retries > 0 ? crypto.randomUUID() : undefined;
  }

  /** Makes a request whose answer is read as it comes. Rejects if it is no success. */
  async open(method: string, path: string, init: RequestOptions = {}): Promise<Response> {
    const response = await this.send(method, path, init);
    if (!response.ok) throw await errorOfResponse(response);
    return response;
  }

  /** Makes a request for which this package has no method, whatever the answer. */
  send(method: string, path: string, init: RequestOptions = {}): Promise<Response> {
    const { query = {}, headers, ...rest } = init;
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    // Node asks for `duplex` when a body is a stream (the Fetch standard).
    return this.fetch(url.href, { ...rest, method, headers: { ...this.headers, ...headers }, duplex: 'half' } as RequestInit);
  }
}

/** What a Request is made of. */
class AskedFor {
  constructor(
    readonly url: string,
    readonly init: RequestInit,
  ) {}
}

/** Reads an answer to its end, so that a connection that breaks meanwhile counts as no answer. */
function whole(send: Fetch): Fetch {
  return async (url, init) => {
    const response = await send(url, init);
    return new Response((await response.text()) || null, response);
  };
}

/** Takes the answer out of what `api` returned. Throws the API's error. */
export async function answerOf<T>(call: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw errorOf(response.status, error, retryAfterOf(response));
  return data as T;
}

function credential({ apiKey, token }: ConnectionOptions): Record<string, string> {
  const key = apiKey ?? (token === undefined ? environment('SANDBOX_API_KEY') : undefined);
  if (key !== undefined) return { 'X-API-Key': key };
  const bearer = token ?? environment('SANDBOX_TOKEN');
  return bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` };
}

/** Reads a variable of the environment. A browser has none. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name] || undefined;
}
