import { type Admits, FairLimit } from './fair-limit';

/** A limit whose tasks end when told to, and the order in which they were begun. */
function setUp(width: number, queue: number, admits: Admits = (running) => running < width) {
  const limit = new FairLimit(admits, queue, () => new Error('full'));
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = (user: string, name: string, signal?: AbortSignal): Promise<string> =>
    limit.runLimited(
      user,
      () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.push(() => resolve(name)));
      },
      signal,
    );
  const endNext = async (): Promise<void> => {
    ends.shift()!();
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { run, begun, endNext };
}

describe('FairLimit', () => {
  it('runs as many tasks as it is wide, and starts the next when one ends', async () => {
    const { run, begun, endNext } = setUp(2, 10);
    const all = Promise.all([run('a', 'a1'), run('a', 'a2'), run('a', 'a3')]);
    expect(begun).toEqual(['a1', 'a2']);
    await endNext();
    expect(begun).toEqual(['a1', 'a2', 'a3']);
    await endNext();
    await endNext();
    expect(await all).toEqual(['a1', 'a2', 'a3']);
  });

  it('takes users in turn when several wait', async () => {
    const { run, begun, endNext } = setUp(1, 100);
    const all = [run('a', 'a1'), ...[2, 3, 4, 5].map((n) => run('a', `a${n}`)), run('b', 'b1'), run('c', 'c1'), run('b', 'b2')];
    for (const _ of all) await endNext();
    await Promise.all(all);
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4', 'a5']);
  });

  it('starts a user’s first task when others wait for their second', async () => {
    const { run, begun, endNext } = setUp(0, 100, (running, ofUser) => (ofUser === 0 ? running < 3 : running < 1));
    const all = [run('a', 'a1'), run('a', 'a2'), run('b', 'b1'), run('b', 'b2'), run('c', 'c1'), run('d', 'd1')];
    expect(begun).toEqual(['a1', 'b1', 'c1']);
    await endNext();
    expect(begun).toEqual(['a1', 'b1', 'c1', 'a2']);
    for (let n = 0; n < 5; n++) await endNext();
    await Promise.all(all);
    expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'd1']);
  });

  it('refuses the last task of the user who waits with most when the queue is full', async () => {
    const { run, begun, endNext } = setUp(1, 3);
    const running = run('a', 'a0');
    const greedy = [1, 2, 3].map((n) => run('a', `a${n}`));
    await expect(run('a', 'a4')).rejects.toThrow('full');
    const other = run('b', 'b1');
    await expect(greedy[2]).rejects.toThrow('full');
    for (let n = 0; n < 4; n++) await endNext();
    await Promise.all([running, greedy[0], greedy[1], other]);
    expect(begun).toEqual(['a0', 'a1', 'b1', 'a2']);
  });

  it('gives the place of a waiting task to the next when its caller leaves', async () => {
    const { run, begun, endNext } = setUp(1, 2);
    const first = run('a', 'a1');
    const gone = new AbortController();
    const leaves = run('a', 'a2', gone.signal);
    const stays = run('a', 'a3');
    gone.abort();
    await expect(leaves).rejects.toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
    const late = run('b', 'b1');
    for (let n = 0; n < 3; n++) await endNext();
    await Promise.all([first, stays, late]);
    expect(begun).toEqual(['a1', 'a3', 'b1']);
  });

  it('frees the place of a task when it fails', async () => {
    const limit = new FairLimit(
      (running) => running < 1,
      0,
      () => new Error('full'),
    );
    await expect(limit.runLimited('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await limit.runLimited('a', async () => 'on')).toBe('on');
  });
});
