/**
 * Decodes base64 in the standard alphabet (RFC 4648, section 4), with its padding.
 * @returns undefined for anything else. Node would decode as much of it as it understands.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
