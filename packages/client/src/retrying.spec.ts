import { ConnectionError } from './errors.ts';
import { retrying } from './retrying.ts';

const URL = 'http://sandbox.test/x';
const JSON_BODY = { body: '{}', headers: { 'Content-Type': 'application/json' } };

const WITH_KEY = { ...JSON_BODY, headers: { ...JSON_BODY.headers, 'Idempotency-Key': '"a"' } };

/** Answers with each of the outcomes in turn, and counts the attempts. */
function server(...outcomes: readonly (number | Error | Response)[]) {
  const bodies: string[] = [];
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    bodies.push(await request.text());
    const outcome = outcomes[Math.min(bodies.length, outcomes.length) - 1]!;
    if (outcome instanceof Error) throw outcome;
    if (outcome instanceof Response) return outcome.clone();
    return new Response(null, { status: outcome, headers: { 'Retry-After': '0' } });
  };
  return { bodies, send };
}

describe('A call that failed', () => {
  it.each<[string, RequestInit, number | Error, number]>([
    ['GET', {}, 429, 2],
    ['GET', {}, 503, 2],
    ['GET', {}, 502, 2],
    ['GET', {}, new TypeError('reset'), 2],
    ['POST', JSON_BODY, 429, 2],
    ['POST', WITH_KEY, new TypeError('reset'), 2],
    ['POST', WITH_KEY, 409, 2],
    ['PUT', JSON_BODY, 503, 2],
  ])('is made again when it is a %s with %j, and the outcome is %s', async (method, init, outcome, times) => {
    const { bodies, send } = server(outcome, 200);
    expect((await retrying(send, 3)(URL, { ...init, method })).status).toBe(200);
    expect(bodies).toHaveLength(times);
    expect(new Set(bodies).size).toBe(1);
  });

  it.each<[string, RequestInit, number]>([
    ['POST', JSON_BODY, 503],
    ['POST', JSON_BODY, 502],
    ['POST', JSON_BODY, 409],
    ['DELETE', {}, 503],
    ['PUT', { ...JSON_BODY, headers: { ...JSON_BODY.headers, 'If-Match': '"a"' } }, 503],
    ['GET', {}, 500],
    ['GET', {}, 404],
  ])('is not made again when it is a %s with %j, and the outcome is %i', async (method, init, outcome) => {
    const { bodies, send } = server(outcome, 200);
    expect((await retrying(send, 3)(URL, { ...init, method })).status).toBe(outcome);
    expect(bodies).toHaveLength(1);
  });

  it('is not made again when its body is a stream', async () => {
    const { bodies, send } = server(429);
    const body = new Blob(['bytes']).stream();
    expect((await retrying(send, 3)(URL, { body, method: 'PUT', duplex: 'half' } as RequestInit)).status).toBe(429);
    expect(bodies).toEqual(['bytes']);
  });

  it('is not made again when it may have done its work and the connection broke', async () => {
    const { bodies, send } = server(new TypeError('reset'));
    await expect(retrying(send, 3)(URL, { ...JSON_BODY, method: 'POST' })).rejects.toThrow(ConnectionError);
    expect(bodies).toHaveLength(1);
  });

  it('is given up after the last attempt, or when nothing is to be retried', async () => {
    for (const times of [0, 2]) {
      const { bodies, send } = server(503);
      expect((await retrying(send, times)(URL, { method: 'GET' })).status).toBe(503);
      expect(bodies).toHaveLength(times + 1);
    }
  });

  it('is made again until there is an answer when it has a key and runs still', async () => {
    const { bodies, send } = server(new TypeError('reset'), ...Array.from({ length: 9 }, () => 409), 200);
    expect((await retrying(send, 1)(URL, { ...WITH_KEY, method: 'POST' })).status).toBe(200);
    expect(bodies).toHaveLength(11);
  });

  it('is given to the caller when the answer to its key stays the same', async () => {
    for (const last of [
      new Response(null, { status: 409 }),
      new Response(null, { status: 502, headers: { 'Idempotency-Replayed': 'true' } }),
    ]) {
      const { bodies, send } = server(new TypeError('reset'), last);
      expect((await retrying(send, 3)(URL, { ...WITH_KEY, method: 'POST' })).status).toBe(last.status);
      expect(bodies).toHaveLength(2);
    }
  });

  it('is given to the caller when it runs still and nothing is to be retried', async () => {
    const { bodies, send } = server(409);
    expect((await retrying(send, 0)(URL, { ...WITH_KEY, method: 'POST' })).status).toBe(409);
    expect(bodies).toHaveLength(1);
  });

  it('is given to the caller when the server asks for a long pause', async () => {
    const send = jest.fn(async () => new Response(null, { status: 429, headers: { 'Retry-After': '60' } }));
    expect((await retrying(send, 3)(URL, { method: 'GET' })).status).toBe(429);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('ends with the reason of the caller who ends it, also between two attempts', async () => {
    const reason = new Error('enough');
    const end = new AbortController();
    const send = jest.fn(async () => {
      setImmediate(() => end.abort(reason));
      return new Response(null, { status: 429, headers: { 'Retry-After': '20' } });
    });
    await expect(retrying(send, 3)(URL, { method: 'GET', signal: end.signal })).rejects.toBe(reason);
    expect(send).toHaveBeenCalledTimes(1);
  });
});
