import { randomBytes } from 'node:crypto';

/** Makes an API key of 192 random bits, in the form that E2B's SDKs want. */
export function newApiKey() {
  return `e2b_${randomBytes(24).toString('hex')}`;
}
