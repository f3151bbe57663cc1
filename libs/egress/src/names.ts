import { domainToASCII } from 'node:url';

/** RFC 1035, section 2.3.4, for a name without its final dot. */
const MAX_NAME_LENGTH = 253;

const LABEL = /^[a-z0-9_-]{1,63}$/;
/** A host whose last label is one of these is an IPv4 address (URL Standard, section 3.5). */
const NUMERIC_LABEL = /^(?:\d+|0x[0-9a-f]*)$/;
const NON_ASCII = /[\u0080-\u{10ffff}]/u;
/** domainToASCII() ends a name at some ASCII characters and decodes others, so it sees none. */
const OTHER_ASCII = /[^-.0-9A-Z_a-z\u0080-\u{10ffff}]/u;

/**
 * Brings the name of a host into the one form in which names are compared: lower case, ASCII, no
 * final dot. A name in Unicode becomes its xn-- form (UTS 46). A label may have letters, digits,
 * `-` and `_`, which service names begin with. A single label is a name.
 * @returns null if the text is no name, or is an IP address in any spelling that a program may take
 *   for one: `127.1`, `0x7f.1`, `2130706433`, `::1`
 */
export function normalizeName(text: string): string | null {
  if (text.length > MAX_NAME_LENGTH + 1 || OTHER_ASCII.test(text)) return null;
  const ascii = NON_ASCII.test(text) ? domainToASCII(text) : text.toLowerCase();
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name.length > MAX_NAME_LENGTH) return null;
  const labels = name.split('.');
  if (!labels.every((label) => LABEL.test(label)) || NUMERIC_LABEL.test(labels.at(-1)!)) return null;
  return name;
}
