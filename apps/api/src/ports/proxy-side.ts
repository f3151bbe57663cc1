import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHeaders } from '../proxying/answer-headers';
import type { ClientSide } from '../proxying/client-side';

/** The path below which a program is reached with a credential of this API. */
const PROXY_PATH = /^\/sessions\/[^/?]+\/ports\/\d+\/proxy(?=[/?]|$)/i;

/**
 * Headers by which a program would say something of the origin of this API: what a browser keeps
 * for it, who may read its answers, which script may watch its requests.
 */
const OF_ORIGIN = new Set([
  'accept-ch',
  'content-security-policy-report-only',
  'nel',
  'public-key-pins',
  'refresh',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-login',
  'speculation-rules',
  'strict-transport-security',
  'use-as-dictionary',
]);
const OF_CORS = /^access-control-/i;

/**
 * Describes the client's side of a program that is reached on this API's own origin.
 * @param withheld names of headers with credentials
 */
export function proxySide(url: string, port: number, withheld: readonly string[]): ClientSide {
  // Cookies of this origin are none of the program's.
  return { port, prefix: PROXY_PATH.exec(url)?.[0] ?? '', withheld: new Set([...withheld, 'cookie']), passesExpect: false };
}

/**
 * Returns what the program is asked for: the path behind the prefix, and the query, as they came.
 */
export function proxiedPath(url: string, { prefix }: ClientSide): string {
  const rest = url.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Writes the head of a program's answer. What the API has set for every answer stays: no browser
 * may store, run or frame it.
 */
export function writeProxiedHead(response: ServerResponse, answer: IncomingMessage, side: ClientSide): void {
  const headers = answerHeaders(answer.rawHeaders, side).filter(
    ([name]) => !OF_ORIGIN.has(name.toLowerCase()) && !OF_CORS.test(name) && !response.hasHeader(name),
  );
  response.statusCode = answer.statusCode!;
  for (const [name, value] of headers) response.appendHeader(name, value);
}
