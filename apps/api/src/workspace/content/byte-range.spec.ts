import { byteRange } from './byte-range';

describe('byteRange', () => {
  it.each<[string, unknown]>([
    ['bytes=0-', { start: 0 }],
    ['bytes=5-9', { start: 5, end: 9 }],
    ['bytes=5-5', { start: 5, end: 5 }],
    ['bytes=-3', { suffix: 3 }],
    ['Bytes= 1-2', { start: 1, end: 2 }],
    ['bytes=9-5', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=1-2,4-5', undefined],
    ['bytes=a-b', undefined],
    ['bytes=1-2x', undefined],
    ['bytes=9999999999999999-', undefined],
    ['lines=1-2', undefined],
    ['', undefined],
  ])('reads the Range %s', (range, expected) => {
    expect(byteRange({ headers: { range } })).toEqual(expected);
  });

  it('throws when the range is the last 0 bytes', () => {
    expect(() => byteRange({ headers: { range: 'bytes=-0' } })).toThrow(expect.objectContaining({ code: 'RANGE_NOT_SATISFIABLE' }));
  });

  it.each<[string, unknown]>([
    ['"x"', { start: 0, end: 1, ifEtag: '"x"' }],
    ['  "2a.4.1"  ', { start: 0, end: 1, ifEtag: '"2a.4.1"' }],
    ['W/"x"', undefined],
    ['x', undefined],
    ['"x", "y"', undefined],
    ['Wed, 21 Oct 2015 07:28:00 GMT', undefined],
    ['', undefined],
  ])('applies If-Range when it can match: %s', (ifRange, expected) => {
    expect(byteRange({ headers: { range: 'bytes=0-1', 'if-range': ifRange } })).toEqual(expected);
  });

  it('gives no range when there is only If-Range', () => {
    expect(byteRange({ headers: { 'if-range': '"x"' } })).toBeUndefined();
  });
});
