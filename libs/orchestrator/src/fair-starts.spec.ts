import { setTimeout as sleep } from 'node:timers/promises';
import { FairStarts } from './fair-starts';

describe('FairStarts', () => {
  it('gives what the command gives, and what it throws', async () => {
    const starts = new FairStarts(1);
    expect(await starts.run('a', async () => 'done')).toBe('done');
    await expect(starts.run('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(
      starts.run('a', () => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('at once');
    expect(await starts.run('a', async () => 'on')).toBe('on');
  });

  it('lets one user’s command start beside another’s hundred', async () => {
    const starts = new FairStarts(1);
    const order: string[] = [];
    const run = (user: string): Promise<void> =>
      starts.run(user, async () => {
        order.push(user);
        await sleep(1);
      });
    await Promise.all([...Array.from({ length: 100 }, () => run('a')), run('b')]);
    // Behind the four that had begun, and one of the other's in turn.
    expect(order.indexOf('b')).toBe(5);
  });

  it('lets fewer start at a time where several users do', async () => {
    const starts = new FairStarts(1);
    let running = 0;
    let most = 0;
    const run = (user: string): Promise<void> =>
      starts.run(user, async () => {
        most = Math.max(most, ++running);
        await sleep(1);
        running--;
      });
    await Promise.all(Array.from({ length: 20 }, () => run('a')));
    expect(most).toBe(4);
    most = 0;
    await Promise.all(Array.from({ length: 20 }, (_, n) => run(n % 2 ? 'a' : 'b')));
    expect(most).toBe(1);
  });

  it('does not let long commands keep others out', async () => {
    const starts = new FairStarts(1);
    const ended = new AbortController();
    const long = starts.run('a', () => sleep(60_000, undefined, { signal: ended.signal }));
    expect(await starts.run('a', async () => 'short')).toBe('short');
    ended.abort();
    await expect(long).rejects.toThrow('aborted');
  });
});
