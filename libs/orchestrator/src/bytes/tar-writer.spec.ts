import { spawnSync } from 'node:child_process';
import { TarWriter } from './tar-writer';

const LIMITS = { maxSize: 10_000, maxEntries: 5 };

interface Sent {
  kind?: string;
  name: string | Buffer;
  link?: string;
  content?: string;
  mode?: number;
  mtime?: bigint;
  size?: bigint;
}

/** @returns a record as an agent sends it */
function record({ kind = '0', name, link = '', content = '', mode = 0o644, mtime = 5n, size = BigInt(content.length) }: Sent): Buffer {
  const [nameBytes, linkBytes] = [Buffer.from(name as string), Buffer.from(link)];
  const head = Buffer.alloc(25);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(mode, 1);
  head.writeBigUInt64BE(mtime, 5);
  head.writeBigUInt64BE(size, 13);
  head.writeUInt16BE(nameBytes.length, 21);
  head.writeUInt16BE(linkBytes.length, 23);
  return Buffer.concat([head, nameBytes, linkBytes, Buffer.from(content)]);
}

function write(bytes: Buffer, step = bytes.length, limits = LIMITS): Buffer {
  const writer = new TarWriter(limits);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) parts.push(writer.push(bytes.subarray(at, at + step)));
  return Buffer.concat([...parts, writer.finishArchive()]);
}

const SOUND = Buffer.concat([
  record({ kind: '5', name: 'dir', mode: 0o755 }),
  record({ name: 'dir/file', content: 'x'.repeat(513), mode: 0o600, mtime: 1_234_567_890n }),
  record({ name: `dir/${'long'.repeat(60)}`, content: 'y' }),
  record({ name: Buffer.from('latin-\xe9', 'latin1') }),
  record({ kind: '2', name: 'é', link: `../${'target'.repeat(30)}` }),
]);

describe('TarWriter', () => {
  it('writes an archive that tar(1) reads when records are sound', () => {
    const { stdout, status } = spawnSync('tar', ['-tv', '--numeric-owner', '--quoting-style=escape', '--utc', '-f', '-'], {
      input: write(SOUND),
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    });
    expect(status).toBe(0);
    expect(stdout.replace(/ +/g, ' ').split('\n')).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 dir/',
      '-rw------- 0/0 513 2009-02-13 23:31 dir/file',
      `-rw-r--r-- 0/0 1 1970-01-01 00:00 dir/${'long'.repeat(60)}`,
      '-rw-r--r-- 0/0 0 1970-01-01 00:00 latin-\\351',
      `lrw-r--r-- 0/0 0 1970-01-01 00:00 \\303\\251 -> ../${'target'.repeat(30)}`,
      '',
    ]);
  });

  it('writes the same archive when the records come in pieces of any size', () => {
    const whole = write(SOUND);
    expect(whole.length % 512).toBe(0);
    for (let step = 1; step < 300; step++) expect(write(SOUND, step).equals(whole)).toBe(true);
  });

  it('writes an empty archive when there are no records', () => {
    expect(write(Buffer.alloc(0))).toEqual(Buffer.alloc(1024));
  });

  it('drops every mode bit but the permissions when a record has all bits', () => {
    expect(write(record({ name: 'f', mode: 0xffff_ffff })).toString('latin1', 100, 107)).toBe('0000777');
  });

  it('writes the latest possible time when the time of a record is later', () => {
    expect(write(record({ name: 'f', mtime: 2n ** 64n - 1n })).toString('latin1', 136, 147)).toBe('77777777777');
  });

  it.each<[string, Buffer]>([
    ['an unknown kind', record({ kind: '3', name: 'f' })],
    ['no name', record({ name: '' })],
    ['an absolute name', record({ name: '/f' })],
    ['..', record({ name: '..' })],
    ['a name that leads out', record({ name: 'a/../../f' })],
    ['a name with .', record({ name: './f' })],
    ['a name with an empty part', record({ name: 'a//f' })],
    ['a name with NUL', record({ name: 'a\0b' })],
    ['a name over 4096 bytes', record({ name: 'a/'.repeat(2048) + 'b' })],
    ['a name of 65,535 bytes', record({ name: 'a'.repeat(65_535) })],
    ['a file with a target', record({ name: 'f', link: 'x' })],
    ['a link without one', record({ kind: '2', name: 'f' })],
    ['a target with NUL', record({ kind: '2', name: 'f', link: 'a\0b' })],
    ['a directory with content', record({ kind: '5', name: 'f', content: 'x' })],
    ['a file over the limit', record({ name: 'f', size: 10_001n })],
    ['a size of all bits', record({ name: 'f', size: 2n ** 64n - 1n })],
    ['files over the limit together', Buffer.concat([record({ name: 'f', content: 'x' }), record({ name: 'g', size: 10_000n })])],
    ['too many entries', Buffer.concat(Array.from({ length: 6 }, (_, index) => record({ name: `f${index}` })))],
    ['half a head', SOUND.subarray(0, 10)],
    ['half a content', record({ name: 'f', content: 'content' }).subarray(0, 28)],
  ])('refuses %s', (_what, bytes) => {
    expect(() => write(bytes)).toThrow(expect.objectContaining({ code: 'SANDBOX_LOST' }));
  });
});
