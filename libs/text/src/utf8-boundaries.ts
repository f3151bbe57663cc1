const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** @returns how many bytes at the end begin a UTF-8 character without ending it */
export function incompleteSuffix(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (isContinuation(byte)) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

/** @returns how many bytes at the beginning end a UTF-8 character that began before them */
export function continuationPrefix(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && count < bytes.length && isContinuation(bytes[count]!)) count++;
  return count;
}
