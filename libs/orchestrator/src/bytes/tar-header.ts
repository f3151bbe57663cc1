export const TAR_BLOCK_BYTES = 512;
/** The largest number of eleven octal digits: the largest size, and the latest time. */
export const MAX_OCTAL = 8 ** 11 - 1;

/** One entry of a tar archive. */
export interface TarEntry {
  /** The type flag, such as `'0'` for a file and `'5'` for a directory. */
  readonly kind: string;
  /** At most 100 bytes, and the same holds for `link`. A longer one is cut. */
  readonly name: Buffer;
  /** The target of a link. */
  readonly link?: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** The numeric id of both the owner and the group. */
  readonly owner?: number;
  /** Seconds since the epoch, at most MAX_OCTAL. */
  readonly modified: number;
  /** Bytes, at most MAX_OCTAL. */
  readonly size?: number;
}

/** @returns the header block of a tar entry (POSIX.1-1988 ustar) */
export function tarHeader({ kind, name, link, mode, owner = 0, modified, size = 0 }: TarEntry): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  name.copy(block, 0, 0, 100);
  const owners = `${octal(owner, 7)}\0${octal(owner, 7)}`;
  // The checksum counts its own field as eight blanks.
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
