import { LineParser } from './line-parser';

const LIMIT = { maxBytes: 20, detail: 'too much' };

function parsed(...chunks: (string | Buffer)[]): string[] {
  const parser = new LineParser((line) => `<${line}>`, LIMIT);
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  return parser.parsed;
}

describe('LineParser', () => {
  it.each([
    ['nothing comes', [], []],
    ['a chunk has several lines', ['a\nb\n\nc\n'], ['<a>', '<b>', '<>', '<c>']],
    ['lines are cut anywhere', ['a', 'b\nc', '', 'd', '\n', '\n'], ['<ab>', '<cd>', '<>']],
    ['the last line has no end', ['a\nb'], ['<a>']],
  ])('parses each line in its order when %s', (_when, chunks, lines) => {
    expect(parsed(...chunks)).toEqual(lines);
  });

  it('reads a character when its bytes come in two chunks', () => {
    const bytes = Buffer.from('€\n');
    expect(parsed(bytes.subarray(0, 1), bytes.subarray(1))).toEqual(['<€>']);
  });

  it('has parsed a line before the next chunk comes', () => {
    const parser = new LineParser((line) => line, LIMIT);
    parser.push(Buffer.from('a\nb'));
    expect(parser.parsed).toEqual(['a']);
  });

  it('refuses the first byte past its limit, but no byte before', () => {
    const parser = new LineParser((line) => line, LIMIT);
    for (let i = 0; i < 10; i++) parser.push(Buffer.from('a\n'));
    expect(parser.parsed).toHaveLength(10);
    expect(() => parser.push(Buffer.from('a'))).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE', message: 'too much' }));
  });

  it('passes on what the reader of a line throws', () => {
    const parser = new LineParser(JSON.parse, LIMIT);
    expect(() => parser.push(Buffer.from('1\nx\n'))).toThrow(SyntaxError);
  });
});
