import type { User } from '@sandbox/sessions';

/** The user of a credential. */
export interface Identity {
  readonly user: User;
  /** When the credential expires, in milliseconds since the epoch. Null if it does not expire. */
  readonly expiresAt: number | null;
}
