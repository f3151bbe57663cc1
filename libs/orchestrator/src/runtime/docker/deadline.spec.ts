import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from './deadline';
import { DeadlineError } from './engine-errors';

describe('withDeadline', () => {
  it('gives the result, and leaves the signal alone ever after', async () => {
    let signal: AbortSignal | undefined;
    await expect(withDeadline(10, async (given) => (signal = given) && 'done')).resolves.toBe('done');
    await sleep(30);
    expect(signal?.aborted).toBe(false);
  });

  it('passes an error on', async () => {
    await expect(withDeadline(1000, () => Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
  });

  it('rejects with the deadline, not with what the call makes of the signal', async () => {
    const heeding = withDeadline(
      10,
      (signal) => new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    );
    await expect(heeding).rejects.toThrow(DeadlineError);
  });

  it('rejects and aborts at the deadline, also where the call does not heed it', async () => {
    let signal: AbortSignal | undefined;
    const deaf = withDeadline(10, (given) => new Promise<never>(() => void (signal = given)));
    await expect(deaf).rejects.toThrow(DeadlineError);
    expect(signal?.aborted).toBe(true);
  });
});
