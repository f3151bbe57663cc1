import { parseSearchLine, searchResult } from './search-answers';

const LOST = expect.objectContaining({ code: 'SANDBOX_LOST' });
const MATCH = { path: 'a', line_number: 1, line: '' };
const SKIP = { path: 'b', reason: 'binary' } as const;

describe('parseSearchLine and searchResult', () => {
  it('reads only the known fields of a match when its name and text are strange', () => {
    const line = JSON.stringify({ path: 'a\n', line_number: 3, line: 'text', more: 1 });
    expect(parseSearchLine(line, true)).toEqual({ path: 'a\n', line_number: 3, line: 'text' });
    expect(parseSearchLine(line, false)).toEqual({ path: 'a\n' });
    const odd = JSON.stringify({ path_base64: 'Yf8=', line_number: 3, line: 'x\udc80' });
    expect(parseSearchLine(odd, true)).toEqual({ path: 'a\ufffd', path_base64: 'Yf8=', line_number: 3, line: 'x\ufffd' });
  });

  it('reads a skipped file when a line has a reason', () => {
    expect(parseSearchLine(JSON.stringify({ ...SKIP, more: 1 }), true)).toEqual(SKIP);
    expect(parseSearchLine(JSON.stringify(SKIP), false)).toEqual(SKIP);
    const odd = JSON.stringify({ path_base64: 'Yf8=', reason: 'link' });
    expect(parseSearchLine(odd, true)).toEqual({ path: 'a\ufffd', path_base64: 'Yf8=', reason: 'link' });
  });

  it.each([
    '',
    '{}',
    '[]',
    '{"path":1}',
    '{"path":"a","line_number":-1,"line":""}',
    '{"path":"a","line_number":1,"line":null}',
    '{"path":"a","reason":"because"}',
    '{"path":"a","reason":null}',
    '{"reason":"binary"}',
  ])('refuses the line %s', (line) => {
    expect(() => parseSearchLine(line, true)).toThrow(LOST);
  });

  it('separates matches from skips, and gives the total when not all skips are listed', () => {
    expect(searchResult([SKIP, MATCH], { truncated: false, skipped: 1 }, 1)).toEqual({
      matches: [MATCH],
      truncated: false,
      skipped: [SKIP],
    });
    expect(searchResult([SKIP], { truncated: true, skipped: 7 }, 1)).toEqual({
      matches: [],
      truncated: true,
      skipped: [SKIP],
      skipped_total: 7,
    });
  });

  it.each([
    ['more matches than were asked for', [MATCH, MATCH], { truncated: false, skipped: 0 }],
    ['more skips than it counts', [SKIP], { truncated: false, skipped: 0 }],
    ['more skips than are listed', Array.from({ length: 51 }, () => SKIP), { truncated: false, skipped: 51 }],
    ['no count of skips', [], { truncated: false }],
    ['no flag', [], { skipped: 0 }],
  ])('refuses an answer with %s', (_what, lines, end) => {
    expect(() => searchResult(lines, end, 1)).toThrow(LOST);
  });
});
