import { parseQuery } from './query-parser';

describe('parseQuery', () => {
  it.each<[string | undefined, Record<string, unknown>]>([
    [undefined, {}],
    ['', {}],
    ['path=', { path: '' }],
    ['path', { path: '' }],
    ['path=a%2Fb+c%2B%26%3D', { path: 'a/b c+&=' }],
    ['path=a=b', { path: 'a=b' }],
    ['path=%00%F0%9F%98%80', { path: '\0😀' }],
    ['path=%252e', { path: '%2e' }],
    ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
    ['a[b]=1', { 'a[b]': '1' }],
    ['&&a=1&', { a: '1' }],
  ])('reads %j', (text, query) => {
    expect({ ...parseQuery(text) }).toEqual(query);
  });

  it('reads a name as any other when every object has a member of that name', () => {
    expect(Object.entries(parseQuery('__proto__=x&constructor=y'))).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('throws when the query has too many parts', () => {
    expect({ ...parseQuery('a&'.repeat(63)) }).toEqual({ a: Array(63).fill('') });
    expect(() => parseQuery('a&'.repeat(64))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it.each(['path=%', 'path=%E0%A4%A', 'path=%ff', 'path=%ED%A0%80', '%zz=1'])('throws when the query is %s', (text) => {
    expect(() => parseQuery(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
