import { OutputText } from './output-text';

describe('OutputText', () => {
  it('gives the same text when the bytes are cut anywhere, also for invalid bytes', () => {
    const texts = ['aé€😀z', '', 'plain'].map((text) => Buffer.from(text));
    const broken = [
      [0xff, 0x41],
      [0xc3],
      [0xe2, 0x82],
      [0xe2, 0x82, 0x41],
      [0xf0, 0x9f, 0x98],
      [0x80, 0x80, 0xe0, 0x80, 0x41],
      [0xc0, 0xaf],
    ];
    for (const bytes of [...texts, ...broken.map((each) => Buffer.from(each))]) {
      for (let size = 1; size <= bytes.length + 1; size++) {
        const decoder = new OutputText('utf8');
        let text = '';
        for (let at = 0; at < bytes.length; at += size) text += decoder.addChunk(bytes.subarray(at, at + size));
        expect(text + decoder.endText()).toBe(bytes.toString('utf8'));
        expect(decoder.pending).toBe(0);
      }
    }
  });

  it('holds back the first bytes of a character, and says how many, when the rest is missing', () => {
    const decoder = new OutputText('utf8');
    expect([decoder.addChunk(Buffer.from([0x61, 0xe2, 0x82])), decoder.pending]).toEqual(['a', 2]);
    expect([decoder.addChunk(Buffer.from([0xac])), decoder.pending]).toEqual(['€', 0]);
  });

  it('encodes each chunk by itself when the encoding is base64', () => {
    const decoder = new OutputText('base64');
    expect([decoder.addChunk(Buffer.from('a')), decoder.addChunk(Buffer.from([0xc3])), decoder.endText()]).toEqual(['YQ==', 'ww==', '']);
  });
});
