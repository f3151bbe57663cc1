import { isUnchanged, preconditions } from './preconditions';

const ifMatch = (value: string) => preconditions({ headers: { 'if-match': value } }).ifMatch;
const ifNoneMatch = (value: string) => preconditions({ headers: { 'if-none-match': value } }).ifNoneMatch;

describe('preconditions and isUnchanged', () => {
  it('gives no preconditions when no header has one', () => {
    expect(preconditions({ headers: { 'if-unmodified-since': 'Sat, 29 Oct 1994 19:43:31 GMT' } })).toEqual({});
  });

  it.each([
    ['*', '*'],
    [' * ', '*'],
    ['"a"', ['a']],
    ['"a", "b"', ['a', 'b']],
    ['"a","b"', ['a', 'b']],
    [', "a" ,,\t"b",', ['a', 'b']],
    ['""', ['']],
    ['"a,b"', ['a,b']],
    ['"a\\"', ['a\\']],
    ['"\xfc"', ['\xfc']],
  ])('reads %j', (value, tags) => {
    expect(ifMatch(value)).toEqual(tags);
    expect(ifNoneMatch(value)).toEqual(tags);
  });

  it('drops a weak tag when it is in If-Match', () => {
    expect(ifMatch('W/"a", "b"')).toEqual(['b']);
    expect(ifMatch('W/"a"')).toEqual([]);
    expect(ifNoneMatch('W/"a", "b"')).toEqual(['a', 'b']);
  });

  it.each(['', ',', 'a', '"a', 'a"', '"a" "b"', '"a", *', '*, "a"', '**', 'w/"a"', 'W/ "a"', '"a b"', '"a"b"', '"a\x7f"', "'a'", '"a";'])(
    'refuses %j',
    (value) => {
      expect(() => ifMatch(value)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
      expect(() => ifNoneMatch(value)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    },
  );

  it('says that a file is unchanged when If-None-Match has its tag', () => {
    expect(isUnchanged({}, '"a"')).toBe(false);
    expect(isUnchanged({ ifNoneMatch: ['b', 'a'] }, '"a"')).toBe(true);
    expect(isUnchanged({ ifNoneMatch: '*' }, '"a"')).toBe(true);
    expect(isUnchanged({ ifNoneMatch: ['b'] }, '"a"')).toBe(false);
    expect(isUnchanged({ ifMatch: ['a'], ifNoneMatch: ['a'] }, '"a"')).toBe(true);
    expect(isUnchanged({ ifMatch: '*' }, '"a"')).toBe(false);
    expect(() => isUnchanged({ ifMatch: ['b'], ifNoneMatch: ['a'] }, '"a"')).toThrow(
      expect.objectContaining({ code: 'PRECONDITION_FAILED' }),
    );
  });
});
