import { type Frame, HEADER_BYTES } from '../frames';

/**
 * Reads frames as agent/PROTOCOL.md words it, with all bytes at hand. So it cannot matter how the
 * bytes were split.
 */
export function framesByTheBook(bytes: Buffer, limit: number): { frames: Frame[]; violated: boolean } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER_BYTES) {
    const length = bytes.readUInt32BE(at);
    if (length > limit) return { frames, violated: true };
    if (bytes.length - at - HEADER_BYTES < length) break;
    frames.push({ type: bytes[at + 4]!, id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + length) });
    at += HEADER_BYTES + length;
  }
  return { frames, violated: false };
}
