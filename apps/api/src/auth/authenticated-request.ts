import type { User } from '@sandbox/sessions';
import type { Request } from 'express';

/** A request that AuthGuard has let in. */
export interface AuthenticatedRequest extends Request {
  user: User;
  /** Milliseconds since the epoch. Null if the credential does not expire. */
  credentialExpiresAt: number | null;
}
