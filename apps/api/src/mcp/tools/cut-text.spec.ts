import { cutBase64, cutEnds, cutText } from './cut-text';

describe('cutText', () => {
  it('leaves short text alone', () => {
    for (const text of ['', 'abcdef']) expect(cutText(text, 6, 'hint')).toBe(text);
  });

  it('keeps the beginning and the end, and says how much is gone and where to read it', () => {
    expect(cutText('0123456789', 6, 'look there')).toBe('012\n[... 4 characters left out; look there ...]\n789');
    expect(cutText('0123456789', 5, 'x')).toBe('012\n[... 5 characters left out; x ...]\n89');
  });

  it('cuts through no character', () => {
    for (let max = 2; max < 20; max++) expect(cutText('😀'.repeat(30), max, 'x')).not.toMatch(/\p{Cs}/u);
  });
});

describe('cutBase64', () => {
  it('keeps a beginning that can be decoded', () => {
    expect([cutBase64('AAAABBBB', 8), cutBase64('AAAABBBB', 7), cutBase64('AAAABBBB', 3)]).toEqual(['AAAABBBB', 'AAAA', '']);
  });
});

describe('cutEnds', () => {
  it('shows so many characters of both, and cuts through none', () => {
    expect(cutEnds('ab\ncdef', 'uvwxyz', 6, (head) => `after ${JSON.stringify(head)}`)).toBe('ab\n\n[... after "ab\\n" ...]\nxyz');
    expect(cutEnds('a😀', '😀z', 4, () => '')).toBe('a\n[...  ...]\nz');
    expect(cutEnds('a', 'z', 4, () => 'x')).toBe('a\n[... x ...]\nz');
  });
});
