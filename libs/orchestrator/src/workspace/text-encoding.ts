import { isUtf8 } from 'node:buffer';
import { continuationPrefix, incompleteSuffix } from '@sandbox/text';

/** The beginning and the end of a text, decoded by `encoding`. */
export interface DecodedText {
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  /** Whether all bytes fit the encoding. Otherwise some became U+FFFD. */
  readonly exact: boolean;
  readonly head: string;
  readonly tail: string;
}

/** The highest share of control characters in a text, apart from those for lines and colours. */
const MAX_CONTROL_SHARE = 0.01;
const TEXT_CONTROLS: readonly number[] = [0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1b];

/**
 * The characters of windows-1252 at 0x80 to 0x9f. All others are as in Latin-1 (WHATWG, Encoding).
 */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** Reads the mark with which a file in UTF-16 begins. */
export function utf16Of(beginning: Buffer): 'utf-16le' | 'utf-16be' | null {
  const [first, second] = beginning;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : null;
}

/**
 * Tells text from other bytes, and decodes it. UTF-16 is known by its mark. Any other text holds no
 * NUL and is UTF-8, or is in an 8-bit encoding with few control characters. The latter is read as
 * windows-1252.
 * @param head the beginning; the whole text if `cut` is false
 * @param tail the end, which may begin within a character, as the head may end within one
 * @param utf16 what utf16Of says of the file
 * @returns null if it is no text
 */
export function decodeText(head: Buffer, tail: Buffer, cut: boolean, utf16: 'utf-16le' | 'utf-16be' | null): DecodedText | null {
  if (utf16 !== null) return decodeUtf16(head, tail, utf16);
  if (head.includes(0) || tail.includes(0)) return null;
  const first = cut ? head.subarray(0, head.length - incompleteSuffix(head)) : head;
  const last = cut ? tail.subarray(continuationPrefix(tail)) : tail;
  const decoded = { head: first.toString('utf8'), tail: last.toString('utf8') };
  if (isUtf8(first) && isUtf8(last)) return { encoding: 'utf-8', exact: true, ...decoded };
  if (isDamagedUtf8(decoded.head + decoded.tail)) return { encoding: 'utf-8', exact: false, ...decoded };
  if (controls(head) + controls(tail) > MAX_CONTROL_SHARE * (head.length + tail.length)) return null;
  return { encoding: 'windows-1252', exact: true, head: fromWindows1252(head), tail: fromWindows1252(tail) };
}

function decodeUtf16(head: Buffer, tail: Buffer, encoding: 'utf-16le' | 'utf-16be'): DecodedText | null {
  // The mark is no part of the text. Half a character at the end of the head is left out.
  const first = new TextDecoder(encoding).decode(head, { stream: true });
  const last = new TextDecoder(encoding).decode(tail).replace(/^\ufffd/, '');
  if (first.includes('\0') || last.includes('\0')) return null;
  return { encoding, exact: !(first + last).includes('\ufffd'), head: first, tail: last };
}

/**
 * Decodes windows-1252. Node's decoder of this name reads Latin-1, which has control characters at
 * 0x80 to 0x9f.
 */
const fromWindows1252 = (bytes: Buffer): string =>
  bytes.toString('latin1').replace(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80]!);

/**
 * Whether most characters outside ASCII are UTF-8. Text in an 8-bit encoding has hardly a valid
 * sequence.
 */
function isDamagedUtf8(text: string): boolean {
  let good = 0;
  let bad = 0;
  for (const character of text) {
    if (character === '\ufffd') bad++;
    else if (character > '\x7f') good++;
  }
  return good > bad;
}

function controls(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if ((byte < 0x20 && !TEXT_CONTROLS.includes(byte)) || byte === 0x7f) count++;
  return count;
}
