import { parseFlag } from '../channel/agent-values';
import { parseDiff } from './diff-answer';
import { parseStat } from './stat-answer';

const LOST = expect.objectContaining({ code: 'SANDBOX_LOST' });
const STAT = { type: 'file', size: 3, modified: 1.5, mode: 0o640, etag: '1f.3' };

describe('parseStat, parseFlag and parseDiff', () => {
  it('reads a stat when all its values are sound', () => {
    expect(parseStat({ path: 'a' }, STAT)).toEqual({
      path: 'a',
      type: 'file',
      size: 3,
      modified: '1970-01-01T00:00:01.500Z',
      mode: '0640',
      etag: '"1f.3"',
    });
    expect(parseStat({ path: '' }, { ...STAT, mode: 0 }).mode).toBe('0000');
    expect(parseStat({ path: '' }, { ...STAT, mode: 0o7777 }).mode).toBe('7777');
  });

  it.each([
    { type: 'door' },
    { size: -1 },
    { modified: 'now' },
    { mode: 0o10000 },
    { mode: '0644' },
    { etag: 'a"\r\n' },
    { etag: undefined },
  ])('refuses a stat with %j', (wrong) => {
    expect(() => parseStat({ path: 'a' }, { ...STAT, ...wrong })).toThrow(LOST);
  });

  it('gives both forms of a name when it is no UTF-8', () => {
    expect(parseStat({ path: 'a\ufffd', path_base64: 'Yf8=' }, STAT)).toMatchObject({ path: 'a\ufffd', path_base64: 'Yf8=' });
  });

  it('refuses a flag when it is no boolean, and a diff when it is no text', () => {
    expect(parseFlag(true)).toBe(true);
    expect(() => parseFlag(undefined)).toThrow(LOST);
    expect(() => parseFlag(1)).toThrow(LOST);
    expect(parseDiff(Buffer.from('\ufeffé'))).toBe('\ufeffé');
    expect(() => parseDiff(Buffer.from([0xff]))).toThrow(LOST);
  });
});
