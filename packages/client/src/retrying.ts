import { ConnectionError, retryAfterOf } from './errors.ts';

/** Sends one request, as the global `fetch` does. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const FIRST_PAUSE_MS = 200;
/** An answer that asks for a longer pause is given to the caller. */
const MAX_PAUSE_MS = 30_000;

/**
 * Makes a call again when that is safe. The service answers 429 before it has done anything. It may
 * have done its work when a connection breaks, or with a 502 or 503. Then only calls are made again
 * that change nothing more the second time. A call that is made again with an Idempotency-Key may
 * be told that it runs still. Then it is made again until there is an answer.
 * @param times how often it may fail, besides the first time
 */
export function retrying(send: Fetch, times: number): Fetch {
  return async (url, init) => {
    const signal = init.signal ?? undefined;
    for (let failures = 0; ;) {
      const outcome = await send(url, init).catch((cause: unknown) => failure(cause, signal));
      const waits = isStillRunning(init, outcome);
      const mayRetry = times > 0 && canBeSentAgain(init) && (waits || failures < times);
      const pause = mayRetry ? pauseBefore(init, outcome, failures) : undefined;
      if (pause === undefined) {
        if (outcome instanceof Error) throw outcome;
        return outcome;
      }
      if (!waits) failures++;
      if (!(outcome instanceof Error)) await outcome.body?.cancel();
      await sleep(pause, signal);
    }
  };
}

/** A caller who ended the call gets the reason for that. Everything else is a broken connection. */
function failure(cause: unknown, signal: AbortSignal | undefined): ConnectionError {
  if (signal?.aborted) throw signal.reason;
  return new ConnectionError('No whole answer came from the server.', { cause });
}

function canBeSentAgain({ body }: RequestInit): boolean {
  return !(body instanceof ReadableStream);
}

/** The API says so by Retry-After. Its other answers 409 do not change. */
function isStillRunning(init: RequestInit, outcome: Response | ConnectionError): boolean {
  if (outcome instanceof Error || outcome.status !== 409) return false;
  return new Headers(init.headers).has('idempotency-key') && retryAfterOf(outcome) !== undefined;
}

/** @returns milliseconds; undefined: do not make the call again */
function pauseBefore(init: RequestInit, outcome: Response | ConnectionError, failures: number): number | undefined {
  const backOff = FIRST_PAUSE_MS * 2 ** failures * (0.5 + Math.random());
  if (outcome instanceof Error) return isRepeatable(init) ? backOff : undefined;
  if (!isStillRunning(init, outcome) && !mayBeBetter(init, outcome)) return undefined;
  const asked = retryAfterOf(outcome);
  const pause = asked === undefined ? backOff : asked * 1_000 * (1 + 0.1 * Math.random());
  return pause > MAX_PAUSE_MS ? undefined : pause;
}

function mayBeBetter(init: RequestInit, { status, headers }: Response): boolean {
  // This is the answer of an earlier attempt. The next one would get it, too.
  if (headers.has('idempotency-replayed')) return false;
  return status === 429 || ((status === 502 || status === 503) && isRepeatable(init));
}

/** A condition would fail the second time, if the first call did its work. So would a deletion. */
function isRepeatable({ method, headers: given }: RequestInit): boolean {
  const headers = new Headers(given);
  if (headers.has('if-match') || headers.has('if-none-match')) return method === 'GET';
  return method === 'GET' || method === 'HEAD' || method === 'PUT' || headers.has('idempotency-key');
}

/** @throws the reason of the caller who ends the call meanwhile */
export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted) return reject(signal.reason as Error);
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}
