export const TAR_BLOCK_BYTES = 512;
/** The most that eleven octal digits hold: the largest size, and the latest time. */
export const MAX_OCTAL = 8 ** 11 - 1;

export interface TarEntry {
  /** The type flag, such as `'0'` for a file and `'5'` for a directory. */
  readonly kind: string;
  /** At most 100 bytes, as is `link`. A longer one is cut. */
  readonly name: Buffer;
  /** Where a link leads. */
  readonly link?: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** Both its user and its group. */
  readonly owner?: number;
  /** Seconds since the epoch, at most MAX_OCTAL. */
  readonly modified: number;
  /** Bytes, at most MAX_OCTAL. */
  readonly size?: number;
}

/** Returns the header block of an entry of a tar archive (POSIX.1-1988 ustar). */
export function tarHeader({ kind, name, link, mode, owner = 0, modified, size = 0 }: TarEntry): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  name.copy(block, 0, 0, 100);
  const owners = `${octal(owner, 7)}\0${octal(owner, 7)}`;
  // The checksum is taken over eight blanks in its own place.
  block.write(`${octal(mode, 7)}\0${owners}\0${octal(size, 11)}\0${octal(modified, 11)}\0        ${kind}`, 100, 'latin1');
  link?.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (let at = 0; at < 265; at++) sum += block[at]!;
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
