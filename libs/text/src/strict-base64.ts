/**
 * Returns the bytes of base64 in the standard alphabet (RFC 4648, section 4), with its padding.
 * Returns undefined for anything else, of which Node would decode as much as it understands.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
