import { firstCharacters, lastCharacters } from './whole-characters';

describe('a cut of text', () => {
  it.each([
    ['abc', 0, '', ''],
    ['abc', 2, 'ab', 'bc'],
    ['abc', 3, 'abc', 'abc'],
    ['abc', 9, 'abc', 'abc'],
    ['', 5, '', ''],
    ['😀😀', 1, '', ''],
    ['😀😀', 2, '😀', '😀'],
    ['😀😀', 3, '😀', '😀'],
    ['a😀b', 2, 'a', 'b'],
    ['a😀b', 3, 'a😀', '😀b'],
    ['é€', 1, 'é', '€'],
    ['a\ud800', 2, 'a\ufffd', 'a\ufffd'],
    ['\udc00a', 2, '\ufffda', '\ufffda'],
    ['a\ud800b', 2, 'a\ufffd', '\ufffdb'],
    ['a\ud800b', 1, 'a', 'b'],
    ['a\udc00b', 1, 'a', 'b'],
  ])('takes of %j at most %i units, and no half of a character', (text, most, first, last) => {
    expect(firstCharacters(text, most)).toBe(first);
    expect(lastCharacters(text, most)).toBe(last);
  });
});
