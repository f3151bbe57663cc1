const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** Bytes at the end that begin a UTF-8 sequence without ending it: the cut went through a character. */
export function incompleteSuffix(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (isContinuation(byte)) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

/** Bytes at the beginning that end a UTF-8 sequence begun before them. */
export function continuationPrefix(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && count < bytes.length && isContinuation(bytes[count]!)) count++;
  return count;
}
