import http from 'node:http';
import https from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError } from '@sandbox/config';
import { isObject } from '@sandbox/text';
import { ApiCalls, kindOf } from './api-calls';
import type { ClusterAccess } from './cluster-access';
import { KubernetesError } from './kubernetes-errors';
import type { ObjectList, WatchEvent } from './objects';

/** An answer, or one line of a watch, is at most so long. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_SOCKETS = 64;
/** The most objects of one page of a list. */
const PAGE = 500;
/** The server ends a watch after so long, and the client one that is silent for longer. */
const WATCH_SECONDS = 120;
const WATCH_SILENCE_MS = (WATCH_SECONDS + 30) * 1000;
/** Finds a peer that has gone without a word, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Begins with a slash, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal: AbortSignal;
}

/**
 * Talks to a cluster's API server, in JSON. It has the few verbs that the runtime needs, over
 * connections that stay open.
 */
export class ApiServer {
  readonly calls = new ApiCalls();
  /**
   * For all connections: one context is read and kept once, and not for each channel again.
   */
  readonly tls: { readonly secureContext: SecureContext; readonly servername?: string };
  private readonly agent: http.Agent;

  constructor(readonly access: ClusterAccess) {
    const { servername, ...keys } = access.tls;
    this.tls = { secureContext: contextOf(keys), ...(servername !== undefined && { servername }) };
    const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: MAX_SOCKETS };
    this.agent = access.server.protocol === 'https:' ? new https.Agent({ ...options, ...this.tls }) : new http.Agent(options);
  }

  /**
   * @returns the answer's JSON
   * @throws KubernetesError if the API server refuses; errors of the connection as they are
   */
  call<T>(call: Call): Promise<T> {
    return this.calls.measured(kindOf(call.method, call.path), async () => {
      const response = await this.send(call, this.agent);
      const text = await readText(response);
      if (response.statusCode! >= 300) throw refusal(response, text);
      // `/readyz` answers `ok`, which is no JSON.
      return (text.startsWith('{') ? JSON.parse(text) : null) as T;
    });
  }

  /** Lists the objects that a label selector finds, page by page. */
  async list<T>(path: string, labelSelector: string, signal: AbortSignal): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    for (let next = ''; ;) {
      const query = { labelSelector, limit: String(PAGE), ...(next === '' ? {} : { continue: next }) };
      const page = await this.call<ObjectList<T>>({ method: 'GET', path, query, signal });
      items.push(...page.items);
      next = page.metadata.continue ?? '';
      if (next === '') return { items, resourceVersion: page.metadata.resourceVersion ?? '' };
    }
  }

  /**
   * Opens a watch. The connection does not keep this process alive.
   * @returns yields what changes from a version on, until the API server ends the watch
   * @throws KubernetesError, with status 410 if the version is too old; the generator does so too
   */
  async watch<T>(
    path: string,
    labelSelector: string,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<WatchEvent<T>>> {
    const query = { labelSelector, resourceVersion, watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(WATCH_SECONDS) };
    const response = await this.calls.measured(kindOf('GET', path, true), async () => {
      const answer = await this.send({ method: 'GET', path, query, signal }, undefined);
      if (answer.statusCode! >= 300) throw refusal(answer, await readText(answer));
      return answer;
    });
    response.socket.unref();
    response.setTimeout(WATCH_SILENCE_MS, () => response.destroy(Object.assign(new Error('a watch is silent'), { code: 'ETIMEDOUT' })));
    return eventsOf<T>(response);
  }

  /** @param agent of the connections that are kept; undefined: the call gets one of its own */
  private async send(call: Call, agent: http.Agent | undefined): Promise<http.IncomingMessage> {
    const { method, path, query = {}, body, signal } = call;
    const { server } = this.access;
    const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { ...(await this.access.headers()), Accept: 'application/json', ...contentHeaders(method, text) };
    const { request } = url.protocol === 'https:' ? https : http;
    const options = { method, headers, signal, agent: agent ?? false, ...(agent === undefined ? this.tls : {}) };
    return new Promise((resolve, reject) => {
      const sent = request(url, options, resolve);
      sent.on('error', (error) => {
        // The API server has closed a kept connection just now. All changes are such that to send
        // one twice does no harm: they name a version, or a name that is free.
        if (sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET') resolve(this.send(call, undefined));
        else reject(error);
      });
      if (agent === undefined) sent.once('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      sent.end(text);
    });
  }
}

async function* eventsOf<T>(response: http.IncomingMessage): AsyncGenerator<WatchEvent<T>> {
  let pending = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop()!;
    if (pending.length > MAX_ANSWER_BYTES) throw tooLong();
    for (const line of lines) {
      if (line === '') continue;
      const event = JSON.parse(line) as WatchEvent<T>;
      if (event.type === 'ERROR') throw fromStatus(500, event.object);
      yield event;
    }
  }
}

function contextOf(keys: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(keys);
  } catch {
    throw new ConfigError(['the certificates or the key for the cluster cannot be read: they must be PEM']);
  }
}

function contentHeaders(method: Call['method'], text: string | undefined): http.OutgoingHttpHeaders {
  if (text === undefined) return {};
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) };
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLong(): Error {
  return Object.assign(new Error('the API server sent too much'), { code: 'EMSGSIZE' });
}

/** Reads the answer by which the API server refuses a call. */
export function refusal({ statusCode, headers }: Pick<http.IncomingMessage, 'statusCode' | 'headers'>, text: string): KubernetesError {
  const seconds = Number(headers['retry-after']);
  let status: unknown = null;
  try {
    status = JSON.parse(text);
  } catch {
    // A proxy before the API server, or a kubelet, answers in plain text.
  }
  return fromStatus(statusCode ?? 0, status ?? { message: text.slice(0, 1000) }, seconds > 0 ? seconds : null);
}

/** @param object a Status of Kubernetes */
function fromStatus(code: number, object: unknown, retryAfter: number | null = null): KubernetesError {
  const { code: own, reason, message } = isObject(object) ? (object as Record<string, unknown>) : {};
  const status = typeof own === 'number' && own > 0 ? own : code;
  return new KubernetesError(
    status,
    typeof reason === 'string' ? reason : '',
    typeof message === 'string' ? message : `status ${status}`,
    retryAfter,
  );
}
