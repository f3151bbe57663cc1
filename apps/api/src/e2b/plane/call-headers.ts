import type { IncomingMessage } from 'node:http';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import { notSupported } from '../protocol/not-supported';

/** The only user there is in a sandbox, by the name that E2B's sandboxes have for it. */
const USER = 'user';

/** A day, in milliseconds. A timer of Node's can wait no longer than some weeks. */
const MAX_TIMEOUT_MS = 86_400_000;

/**
 * Reads how long the client lets the call take.
 * @returns milliseconds, a day at most; undefined if there is no bound
 * @throws SandboxError BAD_REQUEST
 */
export function timeoutOf({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined {
  const given = headers['connect-timeout-ms'];
  if (given === undefined) return undefined;
  if (!/^\d{1,10}$/.test(String(given))) throw new SandboxError(ErrorCode.BAD_REQUEST, 'Connect-Timeout-Ms has to be 1 to 10 digits.');
  return Number(given) === 0 ? undefined : Math.min(Number(given), MAX_TIMEOUT_MS);
}

/**
 * Checks the user as which the client wants something done. The SDKs send the name in
 * `Authorization: Basic`, without a password: it is no credential.
 * @throws SandboxError NOT_SUPPORTED for any user but the sandbox's own
 */
export function requireOwnUser({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const encoded = /^Basic +([\w+/=-]*)$/i.exec(headers.authorization ?? '')?.[1];
  if (encoded !== undefined) requireUserName(Buffer.from(encoded, 'base64').toString('utf8').split(':', 1)[0]);
}

/** @throws SandboxError NOT_SUPPORTED for any user but the sandbox's own */
export function requireUserName(name: string | undefined): void {
  if (name !== undefined && name !== '' && name !== USER) throw notSupported('Another user than "user" in a sandbox, such as root,');
}
