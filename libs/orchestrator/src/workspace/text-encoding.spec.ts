import { gzipSync } from 'node:zlib';
import { decodeText, utf16Of } from './text-encoding';

const NOTHING = Buffer.alloc(0);
const whole = (bytes: Buffer) => decodeText(bytes, NOTHING, false, utf16Of(bytes));

describe('decodeText', () => {
  it.each<[what: string, bytes: Buffer, encoding: string, text: string]>([
    ['nothing', NOTHING, 'utf-8', ''],
    ['UTF-8', Buffer.from('é €😀\n'), 'utf-8', 'é €😀\n'],
    ['UTF-8 with its mark, which stays', Buffer.from('\ufeffx'), 'utf-8', '\ufeffx'],
    ['colours of a terminal', Buffer.from('\x1b[31mred\x1b[0m\r\n'), 'utf-8', '\x1b[31mred\x1b[0m\r\n'],
    ['Latin-1', Buffer.from('d\xe9j\xe0 vu', 'latin1'), 'windows-1252', 'déjà vu'],
    ['quotes of Windows', Buffer.from([0x93, 0x78, 0x94]), 'windows-1252', '“x”'],
    ['UTF-16LE', Buffer.from('\ufeffé😀', 'utf16le'), 'utf-16le', 'é😀'],
    ['UTF-16BE', Buffer.from('\ufeffé😀', 'utf16le').swap16(), 'utf-16be', 'é😀'],
    ['UTF-8 with a byte that is none', Buffer.concat([Buffer.from('éé'), Buffer.from([0xff])]), 'utf-8', 'éé\ufffd'],
  ])('reads %s', (_, bytes, encoding, text) => {
    expect(whole(bytes)).toMatchObject({ encoding, head: text, tail: '' });
  });

  it.each<[what: string, bytes: Buffer]>([
    ['a NUL in UTF-8', Buffer.from('a\0b')],
    ['a NUL in UTF-16', Buffer.from('\ufeffa\0', 'utf16le')],
    ['UTF-32', Buffer.from('fffe000061000000', 'hex')],
    ['compressed bytes', gzipSync(Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * index) & 0xff)))],
    ['control characters between bytes that are no UTF-8', Buffer.from('80018002', 'hex')],
  ])('takes %s for no text', (_, bytes) => {
    expect(whole(bytes)).toBeNull();
  });

  it.each(['é', '€', '😀'])('cuts no %s when the middle of a text is left out', (character) => {
    const bytes = Buffer.from(character.repeat(4));
    for (let cut = 0; cut <= 8; cut++) {
      const decoded = decodeText(bytes.subarray(0, cut), bytes.subarray(cut), true, null)!;
      expect(decoded.exact).toBe(true);
      expect((decoded.head + decoded.tail).replaceAll(character, '')).toBe('');
    }
  });

  it('cuts no surrogate pair when the middle of UTF-16 is left out', () => {
    const bytes = Buffer.from('\ufeffx😀y😀z', 'utf16le');
    const decoded = decodeText(bytes.subarray(0, 6), bytes.subarray(10), true, 'utf-16le')!;
    expect(decoded).toEqual({ encoding: 'utf-16le', exact: true, head: 'x', tail: '😀z' });
  });
});
