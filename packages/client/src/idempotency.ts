/** Options of a call that runs something, and that may be made again. */
export interface IdempotencyOptions {
  /**
   * A key of the caller's choosing for this one call, such as a UUID. The call runs once, however
   * often it is made with the same key, and gets the same answer, for 24 hours. It goes on if its
   * caller leaves. @throws IdempotencyError if there is no such answer
   */
  idempotencyKey?: string;
}

/** The header, as a string of RFC 8941, section 3.3.3. */
export function keyHeader(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { 'Idempotency-Key': `"${key.replace(/["\\]/g, '\\$&')}"` };
}
