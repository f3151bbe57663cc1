/** Headers as Node gives and takes them raw: name and value in turn. Repeated ones stay apart. */
export type RawHeaders = readonly string[];
export type HeaderPair = readonly [name: string, value: string];

/** Headers that are about one connection alone (RFC 9110, section 7.6.1; RFC 9112, section 9.6). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Returns the headers that a proxy passes on, in their order. */
export function endToEnd(raw: RawHeaders): HeaderPair[] {
  const pairs = pairsOf(raw);
  const named = pairs.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.toLowerCase().split(','));
  const dropped = new Set(named.map((name) => name.trim()));
  return pairs.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !dropped.has(name.toLowerCase()));
}

function pairsOf(raw: RawHeaders): HeaderPair[] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at]!, raw[2 * at + 1]!] as const);
}
