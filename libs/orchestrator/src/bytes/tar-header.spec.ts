import { spawnSync } from 'node:child_process';
import { MAX_OCTAL, TAR_BLOCK_BYTES, tarHeader, type TarEntry } from './tar-header';

/** @returns what tar(1) lists for an archive of one entry */
function listed(entry: TarEntry): string {
  const { stdout, stderr, status } = spawnSync(
    'tar',
    ['-tv', '--numeric-owner', '--quoting-style=escape', '--utc', '--full-time', '-f', '-'],
    {
      input: Buffer.concat([tarHeader(entry), Buffer.alloc(2 * TAR_BLOCK_BYTES)]),
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    },
  );
  expect([status, stderr]).toEqual([0, '']);
  return stdout.replace(/ +/g, ' ').trim();
}

const FILE = { kind: '0', name: Buffer.from('f'), mode: 0o640, modified: 0 } as const;

describe('tarHeader', () => {
  it('writes a header that tar(1) reads when the entry is a file, a directory or a link', () => {
    expect(listed({ ...FILE, modified: 1_234_567_890 })).toBe('-rw-r----- 0/0 0 2009-02-13 23:31:30 f');
    expect(listed({ ...FILE, kind: '5', name: Buffer.from('workspace/'), mode: 0o700, owner: 1000 })).toBe(
      'drwx------ 1000/1000 0 1970-01-01 00:00:00 workspace/',
    );
    expect(listed({ ...FILE, kind: '2', link: Buffer.from('../to') })).toBe('lrw-r----- 0/0 0 1970-01-01 00:00:00 f -> ../to');
  });

  it('writes one block when names have a hundred bytes and the time is the latest', () => {
    const name = Buffer.alloc(100, 'n');
    expect(tarHeader({ ...FILE, name, link: name, modified: MAX_OCTAL, size: MAX_OCTAL })).toHaveLength(TAR_BLOCK_BYTES);
    expect(listed({ ...FILE, kind: '2', name, link: name, modified: MAX_OCTAL })).toBe(
      `lrw-r----- 0/0 0 2242-03-16 12:56:31 ${'n'.repeat(100)} -> ${'n'.repeat(100)}`,
    );
  });
});
