import type { User } from '@sandbox/sessions';

/** Whose a credential is and, where it ends by itself, when: milliseconds since the epoch. */
export interface Identity {
  readonly user: User;
  readonly expiresAt: number | null;
}
