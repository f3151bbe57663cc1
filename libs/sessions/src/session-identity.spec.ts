import { sessionRef, userFromApiKey, userFromJwtSubject } from './session-identity';

const alice = userFromJwtSubject('alice');

describe('sessionRef', () => {
  it('gives the same keys when it is called again', () => {
    expect(sessionRef('d', alice, 's')).toEqual(sessionRef('d', alice, 's'));
  });

  it('gives keys of 64 hex digits when a name is empty, long or strange', () => {
    for (const name of ['', 'a/b/../c', '👩‍💻', '\0', '\ud800', 'x'.repeat(256)]) {
      const { key, userKey } = sessionRef('d', alice, name);
      expect(key).toMatch(/^[0-9a-f]{64}$/);
      expect(userKey).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('keeps the names unchanged when they hold combining marks and lone surrogates', () => {
    const name = 'é\u0301 \ud800 🎈';
    expect(sessionRef('d', alice, name)).toMatchObject({ userId: 'jwt:alice', sessionId: name });
  });

  it('gives different keys when two names differ in one character', () => {
    // Composed and decomposed forms, both cases, a blank, a NUL, surrogates that have no UTF-8, and
    // the characters that replace those.
    const names = ['a', 'A', 'a ', ' a', 'a\0', '', '\u00e9', 'e\u0301', '\ud800', '\ud801', '\udc00', '\ufffd', '1:a', 'a1:', '%61', 'ａ'];
    expect(new Set(names.map((name) => sessionRef('d', alice, name).key)).size).toBe(names.length);
    expect(new Set(names.map((name) => sessionRef('d', userFromJwtSubject(name), 's').key)).size).toBe(names.length);
    expect(new Set(names.map((name) => sessionRef('d', userFromJwtSubject(name), 's').userKey)).size).toBe(names.length);
    expect(new Set(names.map((name) => sessionRef(name, alice, 's').key)).size).toBe(names.length);
  });

  it('gives different keys when only the border between two names differs', () => {
    const key = (deployment: string, user: string, session: string): string => sessionRef(deployment, { id: user }, session).key;
    expect(key('d', 'a', 'bc')).not.toBe(key('d', 'ab', 'c'));
    expect(key('d', 'a', '1:b')).not.toBe(key('d', 'a1:b', ''));
    expect(key('da', 'b', 'c')).not.toBe(key('d', 'ab', 'c'));
    expect(key('d', 'session', 'a')).not.toBe(key('d', 'a', 'session'));
  });

  it('gives a user key that equals no session key', () => {
    expect(sessionRef('d', alice, 's').userKey).toBe(sessionRef('d', alice, 't').userKey);
    expect(sessionRef('d', alice, '').key).not.toBe(sessionRef('d', alice, '').userKey);
  });
});

describe('userFromApiKey', () => {
  it('never gives the user of a token', () => {
    const key = userFromApiKey('secret');
    expect(key.id).toMatch(/^key:[0-9a-f]{64}$/);
    expect(userFromJwtSubject(key.id).id).not.toBe(key.id);
    expect(userFromJwtSubject(key.id.slice('key:'.length)).id).not.toBe(key.id);
  });

  it('hashes the whole key and does not show it', () => {
    const long = 'k'.repeat(500);
    expect(userFromApiKey(`${long}1`)).not.toEqual(userFromApiKey(`${long}2`));
    expect(userFromApiKey('secret').id).not.toContain('secret');
  });
});
