const BLOCK = 512;

/**
 * Makes a tar archive (POSIX ustar) of one file. A Dockerfile without COPY needs no other context.
 */
export function tarOfOneFile(name, content) {
  return tarOf([{ name, content }]);
}

/**
 * Makes a tar archive (POSIX ustar) of a few files, which belong to root.
 * @param {readonly { name: string, content: Buffer, mode?: number }[]} files
 */
export function tarOf(files) {
  return Buffer.concat([...files.flatMap(entryOf), Buffer.alloc(2 * BLOCK)]);
}

function entryOf({ name, content, mode = 0o644 }) {
  const header = Buffer.alloc(BLOCK);
  const octal = (value, length) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
}
