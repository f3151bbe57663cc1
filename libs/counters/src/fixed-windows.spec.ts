import { FixedWindows } from './fixed-windows';

describe('FixedWindows', () => {
  it('starts a new window when the one that began with the first hit is over', () => {
    const windows = new FixedWindows(1000);
    expect(windows.hit('a', 500)).toEqual({ hits: 1, remainingMs: 1000 });
    expect(windows.hit('a', 1499)).toEqual({ hits: 2, remainingMs: 1 });
    expect(windows.hit('a', 1500)).toEqual({ hits: 1, remainingMs: 1000 });
  });

  it('counts each key by itself when there are several', () => {
    const windows = new FixedWindows(1000);
    windows.hit('a', 0);
    expect(windows.hit('b', 0).hits).toBe(1);
  });

  it('forgets the oldest windows when there are too many keys', () => {
    const windows = new FixedWindows(1000, 2);
    windows.hit('a', 0);
    windows.hit('b', 1);
    windows.hit('c', 2);
    expect(windows.hit('c', 3).hits).toBe(2);
    expect(windows.hit('b', 3).hits).toBe(2);
    expect(windows.hit('a', 3).hits).toBe(1);
  });
});
