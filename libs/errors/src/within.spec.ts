import { within } from './within';

const never = (): Promise<never> => new Promise(() => undefined);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('within', () => {
  it('returns the result of the promise, and leaves no timer, when it is in time', async () => {
    const late = jest.fn();
    expect(await within(1_000, Promise.resolve(7), late)).toBe(7);
    await expect(within(1_000, Promise.reject(new RangeError('no')), late)).rejects.toThrow(RangeError);
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(late).not.toHaveBeenCalled();
  });

  it('returns the result of `late` when the time is over, and not before', async () => {
    let outcome: unknown = 'pending';
    void within(1_000, never(), () => 'late').then((value) => (outcome = value));
    await jest.advanceTimersByTimeAsync(999);
    expect(outcome).toBe('pending');
    await jest.advanceTimersByTimeAsync(1);
    expect(outcome).toBe('late');
  });

  it('rejects with the error of `late` when it throws one', async () => {
    const settled = Promise.allSettled([
      within(1_000, never(), () => {
        throw new RangeError('late');
      }),
    ]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await settled).toEqual([{ status: 'rejected', reason: new RangeError('late') }]);
  });

  it('drops an error when it comes after the time is over', async () => {
    let fail!: (error: Error) => void;
    const result = within(1_000, new Promise((_, reject) => (fail = reject)), () => 'late');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await result).toBe('late');
    // If nothing handled this error, it would end the process and fail this test.
    fail(new Error('too late'));
    await jest.advanceTimersByTimeAsync(0);
  });
});
