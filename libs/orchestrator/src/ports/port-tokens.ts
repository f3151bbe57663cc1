import { createHash, randomBytes } from 'node:crypto';

const TOKEN_BYTES = 16;
const TOKEN = /^[0-9a-f]{32}$/;

/** Makes a token of 128 random bits, in lower case, as a host name has it. */
export function newPortToken(): string {
  return randomBytes(TOKEN_BYTES).toString('hex');
}

/**
 * The id of a token's grant: a digest, so that nobody who reads the store can use a token.
 * @returns null if the text cannot be a token
 */
export function grantIdOf(token: string): string | null {
  return TOKEN.test(token) ? createHash('sha256').update(token).digest('hex') : null;
}
