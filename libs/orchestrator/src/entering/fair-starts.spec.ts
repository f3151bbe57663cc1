import { setTimeout as sleep } from 'node:timers/promises';
import { FairStarts } from './fair-starts';

describe('FairStarts', () => {
  it('passes on the result or the error of a command', async () => {
    const starts = new FairStarts(1);
    expect(await starts.runStart('a', async () => 'done')).toBe('done');
    await expect(starts.runStart('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(
      starts.runStart('a', () => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('at once');
    expect(await starts.runStart('a', async () => 'on')).toBe('on');
  });

  it('starts one user’s command soon when another user waits with a hundred', async () => {
    const starts = new FairStarts(1);
    const order: string[] = [];
    const run = (user: string): Promise<void> =>
      starts.runStart(user, async () => {
        order.push(user);
        await sleep(1);
      });
    await Promise.all([...Array.from({ length: 100 }, () => run('a')), run('b')]);
    // Behind the four that had begun.
    expect(order.indexOf('b')).toBe(4);
  });

  it('starts one command at a time for each user when two have many, and more when cores are free', async () => {
    const starts = new FairStarts(4);
    const running = new Map<string, number>();
    const most = new Map<string, number>();
    const run = (user: string): Promise<void> =>
      starts.runStart(user, async () => {
        running.set(user, (running.get(user) ?? 0) + 1);
        most.set(user, Math.max(most.get(user) ?? 0, running.get(user)!));
        await sleep(1);
        running.set(user, running.get(user)! - 1);
      });
    await Promise.all(Array.from({ length: 40 }, () => run('a')));
    expect(most).toEqual(new Map([['a', 16]]));
    most.clear();
    await Promise.all(Array.from({ length: 40 }, (_, n) => run(n % 2 ? 'a' : 'b')));
    expect(most).toEqual(
      new Map([
        ['a', 1],
        ['b', 1],
      ]),
    );
    most.clear();
    const [many, one] = [Array.from({ length: 20 }, () => run('a')), run('b')];
    await Promise.all([...many, one]);
    expect(most.get('a')).toBe(2);
  });

  it('starts a short command when a long one runs', async () => {
    const starts = new FairStarts(1);
    const ended = new AbortController();
    const long = starts.runStart('a', () => sleep(60_000, undefined, { signal: ended.signal }));
    expect(await starts.runStart('a', async () => 'short')).toBe('short');
    ended.abort();
    await expect(long).rejects.toThrow('aborted');
  });
});
