import { GrowingBuffer } from './growing-buffer';

describe('GrowingBuffer', () => {
  it('joins pieces of any size, and starts again empty when its content is taken', () => {
    const buffer = new GrowingBuffer();
    for (const piece of ['a', '', 'bc', 'd'.repeat(100_000), 'e']) buffer.append(Buffer.from(piece));
    expect(buffer.length).toBe(100_004);
    expect(buffer.takeBytes().toString()).toBe(`abc${'d'.repeat(100_000)}e`);
    expect([buffer.length, buffer.takeBytes().length]).toEqual([0, 0]);
    buffer.append(Buffer.from('f'));
    expect(buffer.takeBytes().toString()).toBe('f');
  });

  it('reserves no more than its bound, and keeps no piece alive, when the bound is known', () => {
    const buffer = new GrowingBuffer(100);
    const read = Buffer.alloc(65_536, 'x');
    for (let i = 0; i < 100; i++) buffer.append(read.subarray(i, i + 1));
    const taken = buffer.takeBytes();
    expect([taken.length, taken.buffer.byteLength]).toEqual([100, 100]);
  });
});
