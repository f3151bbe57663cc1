import { createHash, timingSafeEqual } from 'node:crypto';
import { type User, userFromApiKey } from '@sandbox/sessions';

/** The API keys of a deployment, compared in a time that says nothing of them. */
export class ApiKeys {
  private readonly keys: readonly { digest: Buffer; user: User }[];

  constructor(keys: readonly string[]) {
    this.keys = keys.map((key) => ({ digest: sha256(Buffer.from(key, 'utf8')), user: userFromApiKey(key) }));
  }

  /** @param presented as Node gives a header: one character for each byte that came */
  userOf(presented: string): User | null {
    const digest = sha256(Buffer.from(presented, 'latin1'));
    let user: User | null = null;
    // Digests are of one length, so the comparison tells nothing of the keys'; and it goes on past a match.
    for (const key of this.keys) if (timingSafeEqual(key.digest, digest)) user = key.user;
    return user;
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
