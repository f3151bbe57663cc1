import { cutBase64, cutEnds, cutText } from './cut-text';

describe('cutText', () => {
  it('returns a text unchanged when it is short', () => {
    for (const text of ['', 'abcdef']) expect(cutText(text, 6, 'hint')).toBe(text);
  });

  it('keeps both ends, and says how much is missing and where to read it, when a text is long', () => {
    expect(cutText('0123456789', 6, 'look there')).toBe('012\n[... 4 characters left out; look there ...]\n789');
    expect(cutText('0123456789', 5, 'x')).toBe('012\n[... 5 characters left out; x ...]\n89');
  });

  it('cuts no character when the limit is within one', () => {
    for (let max = 2; max < 20; max++) expect(cutText('😀'.repeat(30), max, 'x')).not.toMatch(/\p{Cs}/u);
  });
});

describe('cutBase64', () => {
  it('keeps a beginning that can be decoded when base64 is long', () => {
    expect([cutBase64('AAAABBBB', 8), cutBase64('AAAABBBB', 7), cutBase64('AAAABBBB', 3)]).toEqual(['AAAABBBB', 'AAAA', '']);
  });
});

describe('cutEnds', () => {
  it('shows both ends, and cuts no character, when they are long', () => {
    expect(cutEnds('ab\ncdef', 'uvwxyz', 6, (head) => `after ${JSON.stringify(head)}`)).toBe('ab\n\n[... after "ab\\n" ...]\nxyz');
    expect(cutEnds('a😀', '😀z', 4, () => '')).toBe('a\n[...  ...]\nz');
    expect(cutEnds('a', 'z', 4, () => 'x')).toBe('a\n[... x ...]\nz');
  });
});
