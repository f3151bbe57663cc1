import { ErrorCode, SandboxError } from '@sandbox/errors';
import { toSandboxError } from '../../problems/problem';

/** The time that a client gives a call whose answer is a stream. */
export class CallTime {
  /** Aborts when the time is over, or the client has gone away. */
  readonly signal: AbortSignal;
  private readonly late: AbortSignal | undefined;

  /**
   * @param ms undefined: as long as it takes
   * @param gone aborts when the client goes away
   */
  constructor(
    ms: number | undefined,
    private readonly gone: AbortSignal,
  ) {
    this.late = ms === undefined ? undefined : AbortSignal.timeout(ms);
    this.signal = this.late === undefined ? gone : AbortSignal.any([gone, this.late]);
  }

  /** Says why a call failed with an exception: perhaps because its time was over. */
  errorOf(exception: unknown): SandboxError {
    return this.late?.aborted && !this.gone.aborted ? tookTooLong() : toSandboxError(exception);
  }
}

export function tookTooLong(): SandboxError {
  return new SandboxError(ErrorCode.REQUEST_TIMEOUT, 'The time of the call, or of the process that it follows, is over.');
}
