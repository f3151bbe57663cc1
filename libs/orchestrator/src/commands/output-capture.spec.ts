import { OutputCapture } from './output-capture';

function capture(maxBytes: number, ...chunks: Buffer[]): OutputCapture {
  const output = new OutputCapture(maxBytes);
  for (const chunk of chunks) output.addChunk(chunk);
  return output;
}

describe('OutputCapture', () => {
  it('gives all output when it is below the limit and a character is split between chunks', () => {
    const euro = Buffer.from('€');
    expect(capture(100, euro.subarray(0, 1), euro.subarray(1)).finishCapture(0, 'utf8')).toEqual({ text: '€', truncated: false });
  });

  it('replaces bytes that are no UTF-8 in text, and keeps them in base64', () => {
    const bytes = Buffer.from([0x61, 0xff, 0x62]);
    expect(capture(100, bytes).finishCapture(0, 'utf8').text).toBe('a\ufffdb');
    expect(Buffer.from(capture(100, bytes).finishCapture(0, 'base64').text, 'base64')).toEqual(bytes);
  });

  it('says how many bytes are missing when output was cut', () => {
    const output = capture(9, Buffer.from('aaaa'), Buffer.from('bbbbb'));
    expect(output.finishCapture(1000, 'utf8')).toEqual({ text: 'aaaa\n[... 1000 bytes omitted ...]\nbbbbb', truncated: true });
  });

  it('cuts between characters, and counts the bytes that it drops, when a cut would split one', () => {
    // The head ends within the second euro sign, the tail begins within another.
    const head = Buffer.from('€€').subarray(0, 5);
    const tail = Buffer.from('€xyz').subarray(1);
    const { text } = capture(10, head, tail).finishCapture(7, 'utf8');
    expect(text).toBe('€\n[... 11 bytes omitted ...]\nxyz');
  });

  it('holds no more than its limit when a sandbox sends more, and says so', () => {
    const result = capture(4, Buffer.from('abcdef')).finishCapture(0, 'utf8');
    expect(result).toEqual({ text: 'ab\n[... 2 bytes omitted ...]\ncd', truncated: true });
  });
});
