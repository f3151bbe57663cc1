import { userFromApiKey, userFromJwtSubject } from '@sandbox/sessions';
import type { Identity } from './identity';
import { SessionTokens } from './session-tokens';

const KEYS = { DEPLOYMENT: 'd', API_KEYS: ['key-of-alice', 'key-of-bob'], jwtSecret: 'a secret of at least thirty-two bytes' };
const ALICE: Identity = { user: userFromApiKey('key-of-alice'), expiresAt: null };
const CAROL: Identity = { user: userFromJwtSubject('carol é'), expiresAt: Date.now() + 3_600_000 };

describe('SessionTokens', () => {
  const tokens = new SessionTokens(KEYS);

  it.each([
    ['a key', ALICE],
    ['a JWT', CAROL],
  ])('takes the token of a user with %s for its session alone', (_name, identity) => {
    const token = tokens.issueToken(identity, 's1');
    expect(token).toMatch(/^[\w-]+\.[\w-]+$/);
    expect(new SessionTokens(KEYS).readToken(token)).toEqual({ ...identity, sessionId: 's1' });
    expect(new SessionTokens({ ...KEYS, DEPLOYMENT: 'e' }).readToken(token)).toBeNull();
  });

  it('refuses a token when its key or the secret of JWTs has changed', () => {
    const other = new SessionTokens({ ...KEYS, API_KEYS: ['key-of-bob'], jwtSecret: 'another secret of thirty-two bytes!!' });
    for (const identity of [ALICE, CAROL]) expect(other.readToken(tokens.issueToken(identity, 's'))).toBeNull();
    expect(new SessionTokens({ ...KEYS, jwtSecret: null }).readToken(tokens.issueToken(CAROL, 's'))).toBeNull();
  });

  it('refuses a token when its JWT has expired', () => {
    const expired = { ...CAROL, expiresAt: Date.now() - 1 };
    expect(tokens.readToken(tokens.issueToken(expired, 's'))).toBeNull();
  });

  it('refuses a token when its claims name another user, session or end', () => {
    const claims = (...values: unknown[]): string => Buffer.from(JSON.stringify(values)).toString('base64url');
    for (const identity of [ALICE, CAROL]) {
      const signature = tokens.issueToken(identity, 's').split('.')[1]!;
      for (const text of [
        claims(userFromApiKey('key-of-bob').id, identity.expiresAt, 's'),
        claims(identity.user.id, (identity.expiresAt ?? Date.now()) + 1, 's'),
        claims(identity.user.id, identity.expiresAt, 't'),
        claims(identity.user.id, identity.expiresAt, 's', 1),
        claims(identity.user.id, identity.expiresAt),
        claims(userFromJwtSubject('bob').id, identity.expiresAt, 's'),
      ]) {
        expect([text, tokens.readToken(`${text}.${signature}`)]).toEqual([text, null]);
      }
    }
  });

  it('refuses what is no token', () => {
    const token = tokens.issueToken(ALICE, 's');
    for (const text of ['', '.', 'x', 'x.y', token.slice(0, -3), `${token.split('.')[0]}.`, `${token}${'x'.repeat(5_000)}`, '\0.\0']) {
      expect([text, tokens.readToken(text)]).toEqual([text, null]);
    }
  });

  it('makes the same token of a key again', () => {
    expect(tokens.tokenOfKey(ALICE.user, 's')).toBe(tokens.issueToken(ALICE, 's'));
    expect(tokens.tokenOfKey(CAROL.user, 's')).toBeNull();
  });

  it('makes no token for a user without a secret', () => {
    expect(() => tokens.issueToken({ user: userFromApiKey('unknown'), expiresAt: null }, 's')).toThrow('no secret');
    expect(() => tokens.issueToken({ ...CAROL, expiresAt: null }, 's')).toThrow('no secret');
  });
});
