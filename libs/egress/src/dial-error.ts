/** Why no connection was made. */
export type DialFailure = 'refused' | 'unreachable' | 'timed_out' | 'cancelled' | 'proxy_refused' | 'failed';

const FAILURES: Readonly<Record<string, DialFailure>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timed_out',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
};

/** Says that no connection was made. Its message has no address and no credential. */
export class DialError extends Error {
  override readonly name = 'DialError';

  constructor(readonly failure: DialFailure) {
    super(`no connection: ${failure}`);
  }

  static from(error: unknown): DialError {
    if (error instanceof DialError) return error;
    return new DialError(FAILURES[(error as NodeJS.ErrnoException).code ?? ''] ?? 'failed');
  }
}
