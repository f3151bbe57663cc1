import { endFrame, messageFrame, onlyMessage } from './envelopes';

const envelope = (flags: number, length: number, content: string): Buffer => {
  const header = Buffer.alloc(5);
  header[0] = flags;
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, Buffer.from(content)]);
};

describe('envelopes', () => {
  it('writes flags, the length in bytes, and JSON', () => {
    expect(messageFrame({ a: 'é' })).toEqual(envelope(0, 10, '{"a":"é"}'));
    expect(endFrame()).toEqual(envelope(2, 2, '{}'));
    const error = { code: 'not_found', message: '€' } as const;
    expect(onlyMessage(Buffer.concat([Buffer.from([0]), endFrame(error).subarray(1)])).toString()).toBe(JSON.stringify({ error }));
  });

  it('reads exactly one message', () => {
    expect(onlyMessage(messageFrame({ a: 1 })).toString()).toBe('{"a":1}');
    expect(onlyMessage(envelope(0, 0, ''))).toHaveLength(0);
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['half a header', Buffer.alloc(4)],
    ['a length that is too large', envelope(0, 3, '{}')],
    ['a length that is too small', envelope(0, 1, '{}')],
    ['a huge length', envelope(0, 0xffffffff, '{}')],
    ['a compressed message', envelope(1, 2, '{}')],
    ['an end of stream', endFrame()],
    ['unknown flags', envelope(0x80, 2, '{}')],
    ['two messages', Buffer.concat([messageFrame({}), messageFrame({})])],
  ])('refuses %s', (_name, body) => {
    expect(() => onlyMessage(body)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
