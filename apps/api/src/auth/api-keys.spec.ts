import { createHash } from 'node:crypto';
import { ApiKeys } from './api-keys';

const digest = (key: string): string => createHash('sha256').update(key).digest('hex');

describe('ApiKeys', () => {
  const alike = 'k'.repeat(255);
  const long = [`${alike}a`, `${alike}b`];

  it('tells two keys apart when only their last byte differs', () => {
    const keys = new ApiKeys(long);
    const users = long.map((key) => keys.userOf(key)?.id);
    expect(users).toEqual(long.map((key) => `key:${digest(key)}`));
  });

  it.each([8, 16, 32, 64, 72, 128, 200, 254, 255])('refuses a key when it is right for its first %i bytes alone', (length) => {
    const keys = new ApiKeys([long[0]!]);
    expect(keys.userOf(long[0]!.slice(0, length))).toBeNull();
    expect(keys.userOf(`${long[0]!.slice(0, length)}${'x'.repeat(256 - length)}`)).toBeNull();
    expect(keys.userOf(`${long[0]!}${'x'.repeat(length)}`)).toBeNull();
  });

  // Found by trying millions of keys.
  it.each([
    ['beginning', 'wrong-key-4870339', 0],
    ['end', 'wrong-key-12900233', 58],
  ])('refuses a key when its digest is that of a good key in three bytes at the %s', (_where, wrong, from) => {
    expect(digest(wrong).slice(from, from + 6)).toBe(digest('first-key').slice(from, from + 6));
    const keys = new ApiKeys(['first-key']);
    expect(keys.userOf('first-key')).not.toBeNull();
    expect(keys.userOf(wrong)).toBeNull();
  });
});
