import type { IncomingHttpHeaders } from 'node:http';
import type { ClientSide } from './client-side';
import { requestHeaders } from './request-headers';

const SIDE: ClientSide = { port: 5173, prefix: '', withheld: new Set(['x-api-key']), passesExpect: true };
const HOST = '5173-abc.localhost:8000';

type Pairs = readonly (readonly [string, string])[];

/** Returns what a program gets, of a request with these headers. */
function passed(pairs: Pairs, side: Partial<ClientSide> = {}, method = 'GET'): [string, string][] {
  const raw: Pairs = [['Host', HOST], ...pairs];
  const request = {
    method,
    headers: Object.fromEntries(raw.map(([name, value]) => [name.toLowerCase(), value])) as IncomingHttpHeaders,
    rawHeaders: raw.flat(),
    socket: { remoteAddress: '192.0.2.7' } as never,
  };
  const flat = requestHeaders(request, { ...SIDE, ...side });
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!]);
}

const one = (pairs: Pairs, name: string, side?: Partial<ClientSide>): string | undefined =>
  passed(pairs, side).find(([each]) => each.toLowerCase() === name)?.[1];

describe('requestHeaders', () => {
  it('names the program localhost, and tells the client’s side, when it has nothing else', () => {
    expect(passed([])).toEqual([
      ['Host', 'localhost:5173'],
      ['X-Forwarded-For', '192.0.2.7'],
      ['X-Forwarded-Host', HOST],
      ['X-Forwarded-Proto', 'http'],
      ['X-Forwarded-Port', '8000'],
    ]);
  });

  it('keeps the order, the case and the repetitions of what it passes on', () => {
    const pairs: Pairs = [
      ['COOKIE', 'a=1'],
      ['x-Two', '1'],
      ['Accept', '*/*'],
      ['X-TWO', '2'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ];
    expect(passed(pairs).slice(1, 1 + pairs.length)).toEqual(pairs);
  });

  it.each([
    ['Connection', 'keep-alive, X-Named'],
    ['Keep-Alive', 'timeout=5'],
    ['Proxy-Connection', 'close'],
    ['Proxy-Authorization', 'Basic eA=='],
    ['TE', 'trailers'],
    ['Trailer', 'X-Sum'],
    ['Upgrade', 'h2c'],
    ['x-api-key', 'secret'],
    ['Forwarded', 'for=1.2.3.4'],
    ['X-Forwarded-Prefix', '/x'],
  ])('passes no %s on', (name, value) => {
    expect(one([[name, value]], name.toLowerCase())).toBeUndefined();
  });

  it('passes no header on when Connection names it', () => {
    const pairs: Pairs = [
      ['Connection', 'close , X-One'],
      ['X-One', '1'],
      ['X-Two', '2'],
    ];
    expect([one(pairs, 'x-one'), one(pairs, 'x-two')]).toEqual([undefined, '2']);
  });

  it.each([
    ['Origin', `http://${HOST}`, 'http://localhost:5173'],
    ['Origin', `https://${HOST.toUpperCase()}`, 'http://localhost:5173'],
    ['Origin', 'http://evil.example', 'http://evil.example'],
    ['Origin', 'http://5173-other.localhost:8000', 'http://5173-other.localhost:8000'],
    ['Origin', 'null', 'null'],
    ['Referer', `http://${HOST}/a/b?c=d`, 'http://localhost:5173/a/b?c=d'],
    ['Referer', 'http://evil.example/a', 'http://evil.example/a'],
    ['Referer', 'nonsense', 'nonsense'],
  ])('writes %s %s as %s', (name, value, expected) => {
    expect(one([[name, value]], name.toLowerCase())).toBe(expected);
  });

  it('tells the path below which the client sees the program, and takes it off the referer', () => {
    const side = { prefix: '/sessions/s/ports/1/proxy' };
    expect(one([], 'x-forwarded-prefix', side)).toBe(side.prefix);
    expect(one([['Referer', `http://${HOST}${side.prefix}/a`]], 'referer', side)).toBe('http://localhost:5173/a');
  });

  it.each([
    [`http://${HOST}`, ['X-Forwarded-For']],
    ['http://evil.example', ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port']],
  ])('tells nothing that frameworks would compare with the origin %s in vain', (origin, names) => {
    const told = passed([
      ['Origin', origin],
      ['X-Forwarded-Host', 'spoofed'],
    ]);
    expect(told.map(([name]) => name).filter((name) => name.startsWith('X-Forwarded'))).toEqual(names);
  });

  it('adds to what a proxy in front has told', () => {
    const pairs: Pairs = [
      ['X-Forwarded-For', '198.51.100.1'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'spoofed'],
      ['X-Forwarded-Port', '1'],
    ];
    expect(Object.fromEntries(passed(pairs))).toMatchObject({
      'X-Forwarded-For': '198.51.100.1, 192.0.2.7',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': HOST,
      'X-Forwarded-Port': '8000',
    });
  });

  it.each<[string, string, Pairs, string, string]>([
    ['POST', 'nothing', [], 'Content-Length', '0'],
    ['GET', 'nothing', [], 'none', ''],
    ['GET', 'a length', [['Content-Length', '3']], 'Content-Length', '3'],
    ['POST', 'chunks', [['Transfer-Encoding', 'chunked']], 'Transfer-Encoding', 'chunked'],
  ])('says how long the content is when a %s has %s', (method, _, pairs, name, value) => {
    const framing = passed(pairs, {}, method).filter(([each]) => /^(content-length|transfer-encoding)$/i.test(each));
    expect(framing).toEqual(name === 'none' ? [] : [[name, value]]);
  });

  it('passes Expect on only when the program decides about it', () => {
    const pairs: Pairs = [['Expect', '100-continue']];
    expect([one(pairs, 'expect'), one(pairs, 'expect', { passesExpect: false })]).toEqual(['100-continue', undefined]);
  });
});
