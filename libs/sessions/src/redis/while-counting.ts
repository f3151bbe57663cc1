import type { Allowance } from '../request-counts';

/**
 * Sends a command that follows the count of its request, without waiting for the count. The
 * connection keeps the order of commands, so Redis has counted the request by then.
 * @param send its script changes nothing if the request with this id is over its budget; '': the
 *   request is within it
 * @param undo takes back what `send` did, for a count that was lost with its connection
 * @throws what `allowance.granted` rejects with
 */
export async function whileCounting<T>(
  allowance: Allowance | undefined,
  send: (requestId: string) => Promise<T>,
  undo: (result: T) => Promise<void>,
): Promise<T> {
  if (allowance === undefined || allowance.settled) {
    await allowance?.granted;
    return send('');
  }
  const sending = send(allowance.requestId);
  const [granted, sent] = await Promise.allSettled([allowance.granted, sending]);
  if (granted.status === 'fulfilled') return sending;
  if (sent.status === 'fulfilled') await undo(sent.value).catch(() => undefined);
  throw granted.reason;
}
