import { items } from './comma-list';

/*
 * How the text of a setting becomes its value. Each function throws an Error that says what is
 * wrong. It never repeats the text, because that may be a secret.
 */

export const text = (value: string): string => value;

export function oneOf<const T extends string>(...choices: T[]): (value: string) => T {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
    return found;
  };
}

export function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) throw new Error(`must be a whole number from ${min} to ${max}`);
    return number;
  };
}

export function boolean(value: string): boolean {
  if (/^(true|1|yes|on)$/i.test(value)) return true;
  if (/^(false|0|no|off)$/i.test(value)) return false;
  throw new Error('must be true or false');
}

export function list(value: string): readonly string[] {
  return Object.freeze([...new Set(items(value))]);
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Reads a size as Docker's clients write it: a whole number and b, k, m or g.
 * @returns the bytes; NaN if it is no size
 */
export function parseSize(size: string): number {
  const match = /^(\d{1,12})([bkmg]?)b?$/i.exec(size);
  return match ? Number(match[1]) * (UNITS[match[2]!.toLowerCase()] ?? Number.NaN) : Number.NaN;
}

export function bytes(min: number): (value: string) => number {
  return (value) => {
    const size = parseSize(value);
    if (!(size >= min && size <= 2 ** 50)) throw new Error(`must be a size such as 256m, at least ${min} bytes`);
    return size;
  };
}

/** Lets a variable be empty. Empty means null: another variable decides. */
export function optional<T>(parse: (value: string) => T): (value: string) => T | null {
  return (value) => (value === '' ? null : parse(value));
}

export function cpus(value: string): number {
  const number = /^\d{1,4}(\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= 0.01)) throw new Error('must be a number of CPUs such as 1.5, at least 0.01');
  return number;
}

export function metricsToken(value: string): string {
  // RFC 6750 section 2.1, b64token.
  if (value !== '' && !/^[A-Za-z0-9._~+/-]{16,}=*$/.test(value)) throw new Error('must be at least 16 of letters, digits, - . _ ~ + /');
  return value;
}

export function headerName(value: string): string {
  // RFC 9110 section 5.6.2, token.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(value)) throw new Error('must be an HTTP header name');
  if (/^(authorization|cookie|host|content-length|content-type)$/i.test(value)) throw new Error('must not be a standard header');
  return value;
}

/** The rest of a socket's path takes 31 of the 107 bytes that it may have (unix(7)). */
const MAX_CHANNEL_DIRECTORY_BYTES = 76;

export function channelDirectory(value: string): string {
  if (value !== '' && !value.startsWith('/')) throw new Error('must be an absolute path');
  if (Buffer.byteLength(value) > MAX_CHANNEL_DIRECTORY_BYTES) throw new Error(`must have at most ${MAX_CHANNEL_DIRECTORY_BYTES} bytes`);
  return value;
}

export function previewDomain(value: string): string {
  // RFC 1035, section 2.3.4: the token and the port take 39 of the 253 characters that a name has.
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
  const isDomain = new RegExp(`^${label}(?:\\.${label})*(?::\\d{1,5})?$`).test(value);
  if (value !== '' && (!isDomain || value.length > 214)) throw new Error('must be a domain in lower case, such as preview.example.com');
  return value;
}

export function slug(value: string): string {
  if (!/^[a-z0-9][a-z0-9_.-]{0,39}$/.test(value)) {
    throw new Error('must be 1 to 40 of a-z, 0-9, _ . -, beginning with a letter or digit');
  }
  return value;
}

export function image(value: string): string {
  if (!/^[A-Za-z0-9][\w.:/@-]{0,255}$/.test(value)) throw new Error('must be an image reference');
  return value;
}

export function images(value: string): readonly string[] {
  const references = list(value);
  references.forEach(image);
  return references;
}
