import { setTimeout as sleep } from 'node:timers/promises';
import { DeadlineError, withDeadline } from './deadline';

describe('withDeadline', () => {
  it('gives the result, and never aborts the signal, when the call is in time', async () => {
    let signal: AbortSignal | undefined;
    await expect(withDeadline(10, async (given) => (signal = given) && 'done')).resolves.toBe('done');
    await sleep(30);
    expect(signal?.aborted).toBe(false);
  });

  it('rejects with the error of the call when it fails in time', async () => {
    await expect(withDeadline(1000, () => Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
  });

  it('rejects with DeadlineError when the call fails because of the abort', async () => {
    const heeding = withDeadline(
      10,
      (signal) => new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    );
    await expect(heeding).rejects.toThrow(DeadlineError);
  });

  it('rejects and aborts at the deadline when the call ignores the signal', async () => {
    let signal: AbortSignal | undefined;
    const deaf = withDeadline(10, (given) => new Promise<never>(() => void (signal = given)));
    await expect(deaf).rejects.toThrow(DeadlineError);
    expect(signal?.aborted).toBe(true);
  });
});
