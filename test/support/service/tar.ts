export interface TarEntry {
  name: string;
  /** The type flag of the header; a file if absent. */
  type?: string;
  link?: string;
  content?: Buffer;
  mode?: number;
  mtime?: number;
}

const BLOCK = 512;

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/**
 * Makes an archive of plain ustar headers, whatever nonsense the entries are. Names have at most
 * 100 bytes.
 */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.map(({ name, type = '0', link = '', content = Buffer.alloc(0), mode = 0o644, mtime = 1_700_000_000 }) => {
    const header = Buffer.alloc(BLOCK);
    const octal = (value: number, digits: number, at: number): number =>
      header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
    header.write(name, 0, 100);
    octal(mode, 7, 100);
    octal(0, 7, 108);
    octal(0, 7, 116);
    octal(content.length, 11, 124);
    octal(mtime, 11, 136);
    header.write(type, 156, 'latin1');
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(' ', 148, 156);
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
      148,
    );
    header[154] = 0;
    return Buffer.concat([header, padded(content)]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** @returns the entries of a sound archive of ustar headers and pax paths */
export function entriesOf(archive: Buffer): Required<Pick<TarEntry, 'name' | 'type' | 'content' | 'mtime'>>[] {
  const entries = [];
  let path: string | undefined;
  for (let at = 0; archive[at] !== 0;) {
    const header = archive.subarray(at, at + BLOCK);
    const text = (start: number, end: number): string => header.subarray(start, end).toString('utf8').replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 136), 8);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    const type = text(156, 157);
    if (type === 'x') {
      path = /\d+ path=([^\n]*)\n/.exec(content.toString('utf8'))?.[1];
    } else {
      entries.push({ name: path ?? text(0, 100), type, content, mtime: Number.parseInt(text(136, 148), 8) });
      path = undefined;
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return entries;
}
