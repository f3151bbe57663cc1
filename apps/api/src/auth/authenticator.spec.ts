import { createHmac, generateKeyPairSync, sign as signRsa } from 'node:crypto';
import { loadConfig } from '@sandbox/config';
import { type Authentication, Authenticator } from './authenticator';

const SECRET = 'x'.repeat(40);
const KEYS = ['first-key', 'second-key', 'schlüssel-€'];
const HASHES: Record<string, string> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
const now = (): number => Math.floor(Date.now() / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(
  claims: object,
  { alg = 'HS256', secret = SECRET, header = {} }: { alg?: string; secret?: string; header?: object } = {},
): string {
  const content = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${content}.${createHmac(HASHES[alg] ?? 'sha256', secret)
    .update(content)
    .digest('base64url')}`;
}

const valid = (claims: object = { sub: 'alice' }): string => token({ exp: now() + 300, ...claims });
const bearer = (text: string): string[] => ['Authorization', `Bearer ${text}`];

function authenticate(rawHeaders: string[], env: Record<string, string> = {}): Promise<Authentication> {
  const authenticator = new Authenticator(loadConfig({ API_KEYS: KEYS.join(','), JWT_SECRET: SECRET, ...env }));
  const headersDistinct: Record<string, string[]> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) (headersDistinct[rawHeaders[i]!.toLowerCase()] ??= []).push(rawHeaders[i + 1]!);
  return authenticator.authenticate({ headersDistinct });
}

async function userOf(rawHeaders: string[], env?: Record<string, string>): Promise<string | null> {
  return (await authenticate(rawHeaders, env)).user?.id ?? null;
}

describe('Authenticator, for API keys', () => {
  it.each(KEYS.map((key) => [key]))('gives a user of its own when the key is %s', async (key) => {
    const others = KEYS.filter((other) => other !== key);
    const asSent = Buffer.from(key, 'utf8').toString('latin1');
    const user = await userOf(['X-API-Key', asSent]);
    expect(user).toMatch(/^key:[0-9a-f]{64}$/);
    for (const other of others) expect(await userOf(['x-api-key', Buffer.from(other, 'utf8').toString('latin1')])).not.toBe(user);
  });

  it.each(['', 'first-ke', 'first-key2', 'First-key', 'first-key,second-key', 'undefined'])(
    'refuses a request when its key is %j',
    async (key) => {
      expect(await authenticate(['X-API-Key', key])).toEqual({ user: null, presented: true });
    },
  );

  it('takes a key only when it is in the header that the configuration names', async () => {
    expect(await userOf(['X-Other', 'first-key'], { API_KEY_HEADER: 'X-Other' })).not.toBeNull();
    expect(await userOf(['X-API-Key', 'first-key'], { API_KEY_HEADER: 'X-Other' })).toBeNull();
  });

  it('refuses a request when it has two keys, also two good ones', async () => {
    expect(await userOf(['X-API-Key', 'first-key', 'X-API-Key', 'first-key'])).toBeNull();
  });
});

describe('Authenticator, for Bearer tokens', () => {
  it('takes the user from sub, from user_id when that is missing, and else from uid', async () => {
    expect(await userOf(bearer(valid({ sub: 'a', user_id: 'b', uid: 'c' })))).toBe('jwt:a');
    expect(await userOf(bearer(valid({ user_id: 'b', uid: 'c' })))).toBe('jwt:b');
    expect(await userOf(bearer(valid({ uid: 'c' })))).toBe('jwt:c');
    expect(await userOf(bearer(valid({ user_id: 42 })))).toBe('jwt:42');
  });

  it('gives different users when a token names the user of a key', async () => {
    const keyUser = (await userOf(['X-API-Key', 'first-key']))!;
    expect(await userOf(bearer(valid({ sub: keyUser })))).not.toBe(keyUser);
  });

  it.each<[string, unknown]>([
    ['none', {}],
    ['empty', { sub: '' }],
    ['a number as sub', { sub: 5 }],
    ['an object', { sub: { $ne: '' } }],
    ['a list', { sub: ['alice'] }],
    ['a lone surrogate', { sub: 'a\ud800' }],
    ['too long', { sub: 'x'.repeat(257) }],
    ['a fraction', { uid: 1.5 }],
  ])('refuses a token when its user is %s', async (_name, claims) => {
    expect(await userOf(bearer(valid(claims as object)))).toBeNull();
  });

  it('takes a user when its name has 256 characters', async () => {
    expect(await userOf(bearer(valid({ sub: 'x'.repeat(256) })))).not.toBeNull();
  });

  it('refuses a token when exp is missing or past, or nbf is ahead, by more than 60 s', async () => {
    const at = (claims: object): Promise<string | null> => userOf(bearer(token({ sub: 'a', ...claims })));
    expect(await at({})).toBeNull();
    expect(await at({ exp: null })).toBeNull();
    expect(await at({ exp: String(now() + 300) })).toBeNull();
    expect(await at({ exp: now() - 30 })).toBe('jwt:a');
    expect(await at({ exp: now() - 90 })).toBeNull();
    expect(await at({ exp: now() + 300, nbf: now() + 30 })).toBe('jwt:a');
    expect(await at({ exp: now() + 300, nbf: now() + 90 })).toBeNull();
    expect(await at({ exp: now() + 300, nbf: 'soon' })).toBeNull();
  });

  it('refuses a token when it has another algorithm than the configuration', async () => {
    for (const configured of Object.keys(HASHES)) {
      for (const alg of Object.keys(HASHES)) {
        const user = await userOf(bearer(token({ sub: 'a', exp: now() + 300 }, { alg })), { JWT_ALGORITHM: configured });
        expect([configured, alg, user]).toEqual([configured, alg, configured === alg ? 'jwt:a' : null]);
      }
    }
  });

  it('refuses a token when its alg is none, in any spelling, signed or not', async () => {
    for (const alg of ['none', 'None', 'NONE', '', null]) {
      const content = `${encode({ alg, typ: 'JWT' })}.${encode({ sub: 'a', exp: now() + 300 })}`;
      expect(await userOf(bearer(`${content}.`))).toBeNull();
      expect(await userOf(bearer(`${content}.${createHmac('sha256', SECRET).update(content).digest('base64url')}`))).toBeNull();
    }
  });

  it('refuses a token when its algorithm is of another family or it brings its own key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = publicKey.export({ format: 'jwk' });
    const content = `${encode({ alg: 'RS256', jwk })}.${encode({ sub: 'a', exp: now() + 300 })}`;
    expect(await userOf(bearer(`${content}.${signRsa('sha256', Buffer.from(content), privateKey).toString('base64url')}`))).toBeNull();
    const own = 'y'.repeat(40);
    const header = { jwk: { kty: 'oct', k: Buffer.from(own).toString('base64url') }, kid: '/dev/null' };
    expect(await userOf(bearer(token({ sub: 'a', exp: now() + 300 }, { secret: own, header })))).toBeNull();
  });

  it('refuses a token when it was changed, has another secret, or is none', async () => {
    const [header, , signature] = valid().split('.');
    expect(await userOf(bearer(`${header}.${encode({ sub: 'root', exp: now() + 300 })}.${signature}`))).toBeNull();
    expect(await userOf(bearer(token({ sub: 'a', exp: now() + 300 }, { secret: 'y'.repeat(40) })))).toBeNull();
    for (const text of ['', 'x', 'a.b.c', '..', `${encode('text')}.${encode('text')}.x`]) expect(await userOf(bearer(text))).toBeNull();
  });

  it('refuses a token when it is huge', async () => {
    expect(await userOf(bearer(valid({ sub: 'a', padding: 'x'.repeat(10_000) })))).toBeNull();
  });

  it('takes the scheme in any case, and no other scheme', async () => {
    expect(await userOf(['authorization', `bearer  ${valid()}`])).toBe('jwt:alice');
    expect(await userOf(['authorization', valid()])).toBeNull();
    expect(await userOf(['authorization', `Basic ${valid()}`])).toBeNull();
    expect(await userOf(['authorization', `Bearer ${valid()} x`])).toBeNull();
  });

  it('refuses a request when it has two Authorization headers', async () => {
    expect(await userOf([...bearer(valid()), ...bearer(valid())])).toBeNull();
  });

  it('refuses every token when no secret is set, or the one of the example', async () => {
    for (const JWT_SECRET of ['', 'change-me-in-production']) {
      const secret = 'change-me-in-production';
      expect(await userOf(bearer(token({ sub: 'a', exp: now() + 300 }, { secret })), { JWT_SECRET })).toBeNull();
    }
  });
});

describe('Authenticator, for keys after Bearer', () => {
  /** A key after `Bearer`, in a header of one character for each byte. */
  const sent = (key: string): string[] => bearer(Buffer.from(key, 'utf8').toString('latin1'));
  const ODD = ['two words', 'a.b.c', '..', 'key=with+odd/~chars', 'ünï.cödé.€', 'Bearer', encode({ alg: 'HS256' }), `${encode([])}.x.y`];

  it.each([...KEYS, ...ODD])('gives the same user as in the key header when the key is %j', async (key) => {
    const env = { API_KEYS: [...KEYS, ...ODD].join(',') };
    const user = await userOf(['X-API-Key', Buffer.from(key, 'utf8').toString('latin1')], env);
    expect(user).toMatch(/^key:/);
    expect(await userOf(sent(key), env)).toBe(user);
    expect(await userOf(sent(key), { ...env, JWT_SECRET: '' })).toBe(user);
  });

  it.each(['first-ke', 'first-key2', 'First-key', 'first-key,second-key', 'first-key second-key', 'Bearer first-key', 'undefined'])(
    'refuses %j',
    async (key) => {
      expect(await authenticate(sent(key))).toEqual({ user: null, presented: true });
      expect(await authenticate(sent(key), { JWT_SECRET: '' })).toEqual({ user: null, presented: true });
    },
  );

  it('takes a key when the scheme is Bearer in any case, and with no other scheme', async () => {
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) expect(await userOf(['Authorization', `${scheme} first-key`])).toMatch(/^key:/);
    for (const text of ['first-key', 'Basic first-key', 'Bearerfirst-key', 'ApiKey first-key', 'Bearer', 'Bearer ']) {
      expect(await userOf(['Authorization', text])).toBeNull();
    }
  });

  it('checks a text as a JWT when it has that form, even if it is a key and JWTs are off', async () => {
    const key = valid();
    for (const JWT_SECRET of ['y'.repeat(40), '']) {
      const env = { API_KEYS: key, JWT_SECRET };
      expect(await userOf(bearer(key), env)).toBeNull();
      expect(await userOf(['X-API-Key', key], env)).toMatch(/^key:/);
    }
  });

  it('refuses a key after Bearer when a wrong key or a second one is beside it', async () => {
    expect(await userOf(['X-API-Key', 'wrong', ...bearer('first-key')])).toBeNull();
    expect(await userOf([...bearer('first-key'), ...bearer('first-key')])).toBeNull();
    expect(await userOf(['X-API-Key', 'second-key', ...bearer('first-key')])).toBe(await userOf(['X-API-Key', 'second-key']));
  });
});

describe('Authenticator, for both', () => {
  it('lets the key decide when a good token is beside it', async () => {
    expect(await userOf(['X-API-Key', 'first-key', ...bearer(valid())])).toMatch(/^key:/);
    expect(await userOf(['X-API-Key', 'first-key', ...bearer('broken')])).toMatch(/^key:/);
    expect(await userOf(['X-API-Key', 'wrong', ...bearer(valid())])).toBeNull();
    expect(await userOf(['X-API-Key', '', ...bearer(valid())])).toBeNull();
    expect(await userOf(['X-API-Key', 'wrong', ...bearer(valid())], { API_KEYS: '' })).toBeNull();
  });

  it('tells whether a credential was given when there is no user', async () => {
    expect(await authenticate([])).toEqual({ user: null, presented: false });
    expect(await authenticate(bearer('x'))).toEqual({ user: null, presented: true });
  });

  it('gives one challenge for each header when it takes a credential', () => {
    const challenges = (env: Record<string, string>): readonly string[] => new Authenticator(loadConfig(env)).challenges;
    expect(challenges({ API_KEYS: 'k' })).toEqual(['Bearer realm="sandbox-api"', 'ApiKey realm="sandbox-api", header="X-API-Key"']);
    expect(challenges({ JWT_SECRET: SECRET })).toEqual(['Bearer realm="sandbox-api"']);
    expect(challenges({ API_KEYS: 'k', JWT_SECRET: SECRET })).toHaveLength(2);
  });
});
