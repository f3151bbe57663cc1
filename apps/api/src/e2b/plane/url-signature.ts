import { createHash, timingSafeEqual } from 'node:crypto';

/** What a signed address of a file says. */
export interface SignedFile {
  readonly operation: 'read' | 'write';
  /** As they stand in the address; '' if they do not. */
  readonly path: string;
  readonly username: string;
  /** Seconds since the epoch; undefined: it does not expire. */
  readonly expiration: string | undefined;
}

/** How the SDKs write a signature: SHA-256 in base64, without padding. */
const SIGNATURE = /^v1_[A-Za-z0-9+/]{43}$/;

/** @returns the digest in a signature; null if the text is none */
export function digestIn(signature: string | undefined): Buffer | null {
  return signature !== undefined && SIGNATURE.test(signature) ? Buffer.from(signature.slice(3), 'base64') : null;
}

/** Whether a digest signs a file with the token of its sandbox. */
export function isSignedWith(digest: Buffer, { path, operation, username, expiration }: SignedFile, token: string): boolean {
  const text = [path, operation, username, token, ...(expiration === undefined ? [] : [expiration])].join(':');
  return timingSafeEqual(createHash('sha256').update(text, 'utf8').digest(), digest);
}

/** @param now milliseconds since the epoch */
export function isOver({ expiration }: SignedFile, now: number): boolean {
  return expiration !== undefined && !(/^\d{1,12}$/.test(expiration) && Number(expiration) * 1000 > now);
}
