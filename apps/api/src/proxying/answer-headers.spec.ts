import { answerHeaders } from './answer-headers';

const PREFIX = '/sessions/s/ports/5173/proxy';
const answered = (name: string, value: string, prefix = ''): string | undefined =>
  answerHeaders([name, value], { port: 5173, prefix, withheld: new Set(), passesExpect: true })[0]?.[1];

describe('answerHeaders', () => {
  it.each(['Connection', 'Keep-Alive', 'Transfer-Encoding', 'Trailer', 'Upgrade', 'Proxy-Authenticate', 'Alt-Svc', 'Clear-Site-Data'])(
    'passes no %s on',
    (name) => {
      expect(answered(name, 'x')).toBeUndefined();
    },
  );

  it.each([
    ['a=1; Path=/; Domain=localhost; HttpOnly', 'a=1; Path=/; HttpOnly'],
    ['a=1;domain=.preview.example.com', 'a=1'],
    ['a=1; DOMAIN = x ; Secure;Domain=y', 'a=1; Secure'],
    ['domain=1; Domain', 'domain=1; Domain'],
    ['a=b; Path=/; SameSite=Lax', 'a=b; Path=/; SameSite=Lax'],
  ])('leaves the cookie %s with its own host alone', (cookie, expected) => {
    expect(answered('Set-Cookie', cookie)).toBe(expected);
  });

  it.each([
    ['http://localhost:5173/a?b#c', '/a?b#c'],
    ['HTTP://LOCALHOST:5173', '/'],
    ['http://127.0.0.1:5173/a', '/a'],
    ['http://[::1]:5173/a', '/a'],
    ['//localhost:5173/a', '/a'],
    ['http://localhost:5173//evil.example', '/evil.example'],
    ['/a', '/a'],
    ['a/b', 'a/b'],
    ['http://localhost:9999/a', 'http://localhost:9999/a'],
    ['http://localhost/a', 'http://localhost/a'],
    ['https://example.com/login', 'https://example.com/login'],
    ['http://[broken', 'http://[broken'],
  ])('turns the location %s into %s', (location, expected) => {
    expect(answered('Location', location)).toBe(expected);
  });

  it.each([
    ['http://localhost:5173/a', `${PREFIX}/a`],
    ['/a', `${PREFIX}/a`],
    ['//evil.example/a', '//evil.example/a'],
    ['/\\evil.example/a', '/\\evil.example/a'],
    ['b', 'b'],
  ])('puts the prefix before the location %s', (location, expected) => {
    expect(answered('Location', location, PREFIX)).toBe(expected);
  });

  it('keeps cookies apart, and the order', () => {
    const raw = ['Set-Cookie', 'a=1', 'X-A', 'b', 'Set-Cookie', 'c=2'];
    const side = { port: 1, prefix: '', withheld: new Set<string>(), passesExpect: true };
    expect(answerHeaders(raw, side).flat()).toEqual(raw);
  });
});
