/** A type of file, and the bytes by which it is known. */
interface Signature {
  readonly mimeType: string;
  /** Hexadecimal digits; a dot stands for any digit. */
  readonly hex: string;
  /** The place in the file at which the bytes begin. */
  readonly at?: number;
}

const IMAGES: readonly Signature[] = [
  { mimeType: 'image/png', hex: '89504e470d0a1a0a' },
  { mimeType: 'image/jpeg', hex: 'ffd8ff' },
  { mimeType: 'image/gif', hex: '474946383761' },
  { mimeType: 'image/gif', hex: '474946383961' },
  { mimeType: 'image/webp', hex: '52494646........57454250' },
];

const OTHERS: readonly Signature[] = [
  { mimeType: 'application/pdf', hex: '255044462d' },
  { mimeType: 'application/zip', hex: '504b0304' },
  { mimeType: 'application/zip', hex: '504b0506' },
  { mimeType: 'application/gzip', hex: '1f8b08' },
  { mimeType: 'application/x-bzip2', hex: '425a68' },
  { mimeType: 'application/x-xz', hex: 'fd377a585a00' },
  { mimeType: 'application/zstd', hex: '28b52ffd' },
  { mimeType: 'application/x-7z-compressed', hex: '377abcaf271c' },
  { mimeType: 'application/x-tar', hex: '7573746172', at: 257 },
  { mimeType: 'application/x-elf', hex: '7f454c46' },
  { mimeType: 'application/wasm', hex: '0061736d' },
  { mimeType: 'application/vnd.sqlite3', hex: '53514c69746520666f726d6174203300' },
  { mimeType: 'application/vnd.apache.parquet', hex: '50415231' },
  { mimeType: 'audio/wav', hex: '52494646........57415645' },
  { mimeType: 'audio/mpeg', hex: '494433' },
  { mimeType: 'video/mp4', hex: '66747970', at: 4 },
  { mimeType: 'image/bmp', hex: '424d............00000000' },
  { mimeType: 'image/tiff', hex: '49492a00' },
  { mimeType: 'image/tiff', hex: '4d4d002a' },
];

/**
 * How files begin that a model can see as a picture, in hexadecimal. A dot stands for any digit.
 */
export const IMAGE_BEGINNINGS: readonly string[] = IMAGES.map(({ hex }) => hex);

/** @returns the type of an image that a model can see as a picture; null for anything else */
export function imageType(beginning: Buffer): string | null {
  return typeAmong(IMAGES, beginning);
}

/** @returns the type of a file that is no text */
export function binaryType(beginning: Buffer): string {
  return typeAmong(IMAGES, beginning) ?? typeAmong(OTHERS, beginning) ?? 'application/octet-stream';
}

function typeAmong(signatures: readonly Signature[], beginning: Buffer): string | null {
  return signatures.find((signature) => begins(beginning, signature))?.mimeType ?? null;
}

function begins(bytes: Buffer, { hex, at = 0 }: Signature): boolean {
  const found = bytes.toString('hex', at, at + hex.length / 2);
  return found.length === hex.length && [...hex].every((digit, index) => digit === '.' || digit === found[index]);
}
