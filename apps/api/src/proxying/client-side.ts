import type { IncomingMessage } from 'node:http';

/**
 * What a program behind a proxy is to know of the client's side, and what is none of its business.
 */
export interface ClientSide {
  /** The port of the program in its sandbox. */
  readonly port: number;
  /** The path below which the client sees the program; '' if it has an origin of its own. */
  readonly prefix: string;
  /** Names of headers, in lower case, that the program does not get. */
  readonly withheld: ReadonlySet<string>;
  /** Whether the program decides about an `Expect: 100-continue`. Else it was answered already. */
  readonly passesExpect: boolean;
}

/**
 * Returns the scheme of the client's URL. Only a proxy with TLS in front knows that it is https.
 */
export function schemeOf({ headers }: Pick<IncomingMessage, 'headers'>): 'http' | 'https' {
  return headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
}
