import { createHash, timingSafeEqual } from 'node:crypto';
import { type User, userFromApiKey } from '@sandbox/sessions';

/** The API keys of a deployment. The time of a comparison tells nothing about them. */
export class ApiKeys {
  private readonly keys: readonly { digest: Buffer; user: User }[];

  constructor(keys: readonly string[]) {
    this.keys = keys.map((key) => ({ digest: sha256(Buffer.from(key, 'utf8')), user: userFromApiKey(key) }));
  }

  /**
   * Finds the user of a key.
   * @param presented the header as Node gives it: one character for each byte
   * @returns null if the key is none of the deployment's
   */
  userOf(presented: string): User | null {
    const digest = sha256(Buffer.from(presented, 'latin1'));
    let user: User | null = null;
    // All digests have one length, so a comparison does not tell a key's length. The loop goes on
    // after a match, so its time does not tell which key matched.
    for (const key of this.keys) if (timingSafeEqual(key.digest, digest)) user = key.user;
    return user;
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
