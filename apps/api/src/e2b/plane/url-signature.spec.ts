import { digestIn, isOver, isSignedWith, type SignedFile } from './url-signature';

const FILE: SignedFile = { operation: 'read', path: 'a b/é', username: '', expiration: undefined };

describe('the signature of an address', () => {
  // Made by the function `getSignature` of the package e2b 2.51.0.
  it.each<[string, SignedFile, string]>([
    ['without an end', FILE, 'v1_G94EAsQB63iWE1099x0wxQB67MqcPQfpjbHgs29Fkmo'],
    [
      'with an end and a user',
      { ...FILE, operation: 'write', username: 'user', expiration: '1900000000' },
      'v1_DMO0syVhGNGCwT3s/pXVx7Z/qbK41IRxA2dGFLxzgBQ',
    ],
  ])('is that of E2B’s SDK %s', (_name, file, signature) => {
    const digest = digestIn(signature)!;
    expect(isSignedWith(digest, file, 'token.x-y_z')).toBe(true);
    const others: Partial<SignedFile>[] = [
      { operation: file.operation === 'read' ? 'write' : 'read' },
      { path: 'a' },
      { username: 'x' },
      { expiration: '1' },
    ];
    for (const other of others) expect([other, isSignedWith(digest, { ...file, ...other }, 'token.x-y_z')]).toEqual([other, false]);
    expect(isSignedWith(digest, file, 'token.x-y_')).toBe(false);
  });

  it.each([undefined, '', 'v1_', 'v2_' + 'a'.repeat(43), 'v1_' + 'a'.repeat(42), 'v1_' + 'a'.repeat(44), 'v1_' + '-'.repeat(43)])(
    'is none when it is %s',
    (text) => {
      expect(digestIn(text)).toBeNull();
    },
  );

  it('ends when the address says so', () => {
    const over = (expiration: string | undefined, now: number): boolean => isOver({ ...FILE, expiration }, now);
    expect([over(undefined, 1e15), over('100', 99_999), over('100', 100_000)]).toEqual([false, false, true]);
    for (const text of ['', '-1', '1e9', 'x', ' 99999999999', '9'.repeat(13)]) expect([text, over(text, 0)]).toEqual([text, true]);
  });
});
