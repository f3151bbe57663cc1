import { parseEntry, parseFileHeader } from './workspace-answers';

describe('readers of the agent’s answers', () => {
  it('reads an entry when its name holds quotes, line ends and emoji', () => {
    const line = JSON.stringify({ name: 'a\n"b"😀', type: 'symlink', size: 3, modified: 1.5 });
    expect(parseEntry(line)).toEqual({ name: 'a\n"b"😀', type: 'symlink', size: 3, modified: '1970-01-01T00:00:01.500Z' });
  });

  it.each([
    ['a name that is no UTF-8', { name_base64: 'Y2Fm6Q==' }, { name: 'caf\ufffd', name_base64: 'Y2Fm6Q==' }],
    ['one that is, though an agent says otherwise', { name_base64: 'YQ==' }, { name: 'a' }],
    ['bytes alone, though there is text', { name: 'b', name_base64: 'Y2Fm6Q==' }, { name: 'caf\ufffd', name_base64: 'Y2Fm6Q==' }],
    ['no half of a surrogate pair', { name: '\ud83d\udc80\udc80' }, { name: '💀\ufffd' }],
  ])('shows %s', (_what, name, shown) => {
    const line = JSON.stringify({ ...name, type: 'file', size: 3, modified: 1.5 });
    expect(parseEntry(line)).toEqual({ ...shown, type: 'file', size: 3, modified: '1970-01-01T00:00:01.500Z' });
  });

  it('reads what a listing has skipped', () => {
    expect(parseEntry('{"path":"a/b","reason":"not_readable","more":1}')).toEqual({ path: 'a/b', reason: 'not_readable' });
  });

  it('shows the nearest possible date when no Date can hold a time', () => {
    const entry = parseEntry('{"name":"a","type":"file","size":0,"modified":1e300}');
    expect(entry).toHaveProperty('modified', '+275760-09-13T00:00:00.000Z');
  });

  it.each([
    'x',
    'null',
    '[]',
    '{"name":1,"type":"file","size":0,"modified":0}',
    '{"name_base64":1,"type":"file","size":0,"modified":0}',
    '{"name_base64":"Y2Fm6Q","type":"file","size":0,"modified":0}',
    '{"name_base64":"_-8=","type":"file","size":0,"modified":0}',
    '{"name":"a","type":"door","size":0,"modified":0}',
    '{"name":"a","type":"file","size":-1,"modified":0}',
    '{"name":"a","type":"file","size":1e400,"modified":0}',
    '{"name":"a","type":"file","size":0,"modified":"now"}',
    '{"path":"a","reason":"because"}',
    '{"name":"a","type":"file","size":0,"modified":0,"reason":"link"}',
  ])('refuses %s', (line) => {
    expect(() => parseEntry(line)).toThrow(expect.objectContaining({ code: 'SANDBOX_LOST' }));
  });

  it('refuses a header when it has no length', () => {
    expect(() => parseFileHeader(Buffer.from('{"size":1,"modified":0,"offset":0}'))).toThrow(
      expect.objectContaining({ code: 'SANDBOX_LOST' }),
    );
  });

  it.each(['', '"', 'a"b', 'x\r\nSet-Cookie: a', 'a'.repeat(121), 5, null])('refuses the entity tag %j', (tag) => {
    const header = Buffer.from(JSON.stringify({ size: 1, modified: 0, offset: 0, length: 1, etag: tag }));
    expect(() => parseFileHeader(header)).toThrow(expect.objectContaining({ code: 'SANDBOX_LOST' }));
  });

  it('puts an entity tag in quotes, as a header needs it', () => {
    const header = Buffer.from('{"size":1,"modified":0,"offset":0,"length":1,"etag":"1f.0.-5.9"}');
    expect(parseFileHeader(header)).toMatchObject({ length: 1, etag: '"1f.0.-5.9"' });
  });
});
