import { connect, isIP, type Socket } from 'node:net';
import { dialByProxy } from './dial-by-proxy';
import { DialError } from './dial-error';
import type { EgressProxy } from './proxy';

export interface DialOptions {
  /** In the form of normalizeName(). A proxy gets it. */
  readonly name: string;
  readonly port: number;
  /** Where the name is, checked. A proxy resolves by itself, so none are used with one. */
  readonly addresses: readonly string[];
  readonly proxy?: EgressProxy | undefined;
  /** Ends the attempt. A connection that is made lives on. */
  readonly signal?: AbortSignal | undefined;
  /** For all addresses together. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 10_000;
/** After this time, the next address is tried beside those before it (RFC 8305, section 5). */
const NEXT_ADDRESS_MS = 250;

/**
 * Connects to one of the addresses, or through the proxy. No name is resolved but the proxy's.
 * @returns a socket whose sides end by themselves (allowHalfOpen). The caller listens for its
 *   errors at once
 * @throws DialError
 */
export async function dial({ name, port, addresses, proxy, signal, timeoutMs = TIMEOUT_MS }: DialOptions): Promise<Socket> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return await (proxy === undefined ? dialAddresses(addresses, port, ended) : dialByProxy(proxy, name, port, ended));
  } catch (error) {
    if (signal?.aborted) throw new DialError('cancelled');
    throw timeout.aborted ? new DialError('timed_out') : DialError.from(error);
  }
}

/**
 * Tries the addresses in their order, side by side, and takes the first that answers. Node's own
 * way (autoSelectFamily) gives each up before it tries the next, so a slow server with a dead
 * second address would never be reached.
 */
function dialAddresses(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  const untried = addresses.filter((address) => isIP(address) !== 0);
  const trying = new Set<Socket>();
  let failure: unknown = new DialError('unreachable');
  let timer: NodeJS.Timeout | undefined;
  let abandon: () => void;
  return new Promise<Socket>((resolve, reject) => {
    const tryNext = (): void => {
      clearTimeout(timer);
      const address = untried.shift();
      if (address === undefined && trying.size === 0) reject(failure);
      if (address === undefined) return;
      const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
      trying.add(socket);
      const onError = (error: unknown): void => {
        trying.delete(socket);
        failure = error;
        tryNext();
      };
      socket.once('error', onError).once('connect', () => {
        trying.delete(socket);
        resolve(socket.off('error', onError));
      });
      timer = setTimeout(tryNext, NEXT_ADDRESS_MS);
    };
    abandon = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abandon, { once: true });
    if (signal.aborted) abandon();
    else tryNext();
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abandon);
    for (const socket of trying) socket.destroy();
  });
}
