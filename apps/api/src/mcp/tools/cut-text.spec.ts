import { cutText } from './cut-text';

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
