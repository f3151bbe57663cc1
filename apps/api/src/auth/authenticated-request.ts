import type { User } from '@sandbox/sessions';
import type { Request } from 'express';

/** A request that AuthGuard has let in. */
export interface AuthenticatedRequest extends Request {
  user: User;
  /** Milliseconds since the epoch; null of a credential that does not end by itself. */
  credentialExpiresAt: number | null;
}
