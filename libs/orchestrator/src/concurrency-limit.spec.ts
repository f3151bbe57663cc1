import { ConcurrencyLimit } from './concurrency-limit';

describe('ConcurrencyLimit', () => {
  it('runs so many at a time, in order, and refuses past its queue', async () => {
    const limit = new ConcurrencyLimit(2, 2, () => new Error('full'));
    const started: number[] = [];
    const gates: (() => void)[] = [];
    const task = (id: number) =>
      limit.run(async () => {
        started.push(id);
        await new Promise<void>((resolve) => gates.push(resolve));
      });
    const tasks = [task(1), task(2), task(3), task(4)];
    await expect(task(5)).rejects.toThrow('full');
    expect(started).toEqual([1, 2]);
    gates.shift()!();
    await tasks[0];
    expect(started).toEqual([1, 2, 3]);
    while (gates.length > 0) {
      gates.shift()!();
      await new Promise(setImmediate);
    }
    await Promise.all(tasks);
    expect(started).toEqual([1, 2, 3, 4]);
  });

  it('gives its place back when a task fails', async () => {
    const limit = new ConcurrencyLimit(1, 0, () => new Error('full'));
    await expect(limit.run(() => Promise.reject(new Error('task')))).rejects.toThrow('task');
    await expect(limit.run(() => Promise.resolve('ok'))).resolves.toBe('ok');
  });
});
